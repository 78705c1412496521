"""What a spec task leaves in git for people: tasks.md with its boxes, a page per session, and all that happened."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from office_server.spec_tasks.tasks_md import parse, ticked

Row = Mapping[str, Any]
_DOCUMENTS_MOST = 150
_BYTES_MOST = 200_000


def documents(task: Row, tasks_md: str | None, events: Sequence[Row]) -> dict[str, str]:
    """By the names that they have in the task's folder."""
    sessions: list[Row] = [one for one in task["sessions"] if one["started_at"]]
    made = {"coordination.md": _cut(_coordination(task, events))}
    for session in sessions[-_DOCUMENTS_MOST:]:
        own = [event for event in events if event["spec_session_id"] == session["id"]]
        made[f"history/{_file_name(session['label'])}.md"] = _cut(_page(session, own))
    if tasks_md is not None:
        done = {one["label"] for one in task["sessions"] if one["status"] == "done"}
        keys = {item.key for item in parse(tasks_md)} if "all" in done else done
        made["tasks.md"] = ticked(tasks_md, keys)
    return made


def _coordination(task: Row, events: Sequence[Row]) -> str:
    labels = {session["id"]: session["label"] for session in task["sessions"]}
    lines = [f"# {task['title']}: what happened", ""]
    for event in events:
        who = labels.get(event["spec_session_id"])
        lines.append(f"- {event['at'][:19]} {f'**{who}** ' if who else ''}{_sentence(event)}")
    return "\n".join(lines) + "\n"


def _page(session: Row, events: Sequence[Row]) -> str:
    facts = [
        f"- role: {session['role']}",
        f"- status: {session['status']}",
        *([f"- added by: {session['parent']}"] if session["parent"] else []),
        *([f"- added: {', '.join(session['children'])}"] if session["children"] else []),
        *([f"- branch: `{session['branch']}`"] if session["branch"] else []),
        *([f"- merged as: `{session['commit']}`"] if session["commit"] else []),
        f"- from {session['started_at'][:19]} to {(session['ended_at'] or 'now')[:19]}",
    ]
    told = [f"- {event['at'][:19]} {_sentence(event)}" for event in events]
    return "\n".join([f"# {session['label']} {session['title']}", "", *facts, "", "## What happened", "", *told]) + "\n"


def _sentence(event: Row) -> str:
    detail: Row = event["detail"]
    kind = str(event["kind"])
    match kind:
        case "message":
            return f"left a message for {detail.get('to') or 'all'}: {_one_line(detail['text'])}"
        case "progress":
            percent = f" ({detail['percent']} %)" if "percent" in detail else ""
            return f"reported: {_one_line(detail['text'])}{percent}"
        case "question":
            return f"asked: {_one_line(detail['text'])}"
        case "answered":
            return f"was answered by {event['author']}: {_one_line(detail['answer'])}"
        case "spawned":
            return f"was added by {detail.get('parent') or event['author']}: {_one_line(detail['title'])}"
        case "session_started":
            words = f", told by `{detail['prompt']}`" if "prompt" in detail else ""
            return f"began, try {detail.get('try')}{words}"
        case "session_worked":
            return f"did its work on `{detail.get('branch')}`: {len(detail.get('commits') or [])} commits"
        case "merged":
            return f"was merged as `{detail.get('commit')}`"
        case "conflict":
            return f"conflicts in {', '.join(detail['files'])}"
        case _:
            more = ", ".join(f"{name} {_one_line(str(value))}" for name, value in detail.items())
            return f"{kind.replace('_', ' ')} by {event['author']}" + (f": {more}" if more else "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _file_name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", label)


def _cut(text: str) -> str:
    data = text.encode()
    if len(data) <= _BYTES_MOST:
        return text
    head = data[: _BYTES_MOST // 2].decode(errors="ignore")
    return head + "\n\n…\n\n" + data[-_BYTES_MOST // 2 :].decode(errors="ignore")
