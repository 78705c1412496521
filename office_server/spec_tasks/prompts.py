"""What the agents of spec tasks are told. A task may bring words of its own, with the same {{names}} in them."""

import re
from collections.abc import Mapping
from typing import Any

from shared.channels import DONE_MARKER
from shared.errors import InvalidPayload

PLANNING_NAMES = frozenset({"name", "title", "description", "folder", "branch", "round", "comments", "roles", "done"})
WORK_NAMES = frozenset({"name", "title", "body", "label", "role", "folder", "branch", "conflicts", "task", "done"})
_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}")

PLANNING = """Plan the following work. Write no code yet.

# {{title}}

{{description}}

Write these four files into the folder {{folder}} of this worktree, and commit them:

1. requirements.md: user stories ("As a …, I want …, so that …"), each with numbered acceptance criteria in EARS form:
   "WHEN [event] THE SYSTEM SHALL [response]", "IF [condition] THEN THE SYSTEM SHALL [response]",
   "WHILE [state] THE SYSTEM SHALL [response]", "WHERE [feature] THE SYSTEM SHALL [response]".
2. design.md: how it is to be built in this repository: parts, data, interfaces, errors, tests; what was weighed and
   why it was decided so.
3. tasks.md: the work as items with boxes, in this form and no other:

   - [ ] 1. A group of items
     - [ ] 1.1 What is to be done, in one line (role: BE)
       What its agent must know, further in than its item: files, interfaces, requirements, tests.
     - [ ] 1.2 Another one (role: FE; depends on 1.1)
   - [ ] 2. Something that needs all of 1 (role: QA; depends on 1)

   Each item without items below it becomes one agent's work, in a worktree of its own, and is merged when it is done.
   What does not depend on each other is done at the same time: items that change the same files must depend on each
   other. Every id stands once, and below its group. Roles: {{roles}}. At most 200 items.
4. spec-metadata.json: {"name": "{{name}}", "title": …, "summary": …, "risks": […], "files": [the files to be changed]}.

{{comments}}
When all four are committed, say {{done}} on a line of its own."""

WORK = """You do one item of a larger task, "{{task}}". Its plan is in {{folder}}: read requirements.md and design.md
there first. Others do other items at the same time; read_context shows who, and leave_message reaches them.

# {{label}} {{title}}

{{body}}

Do this item and nothing else. Test it, and commit all of it on your branch; it is then merged into {{branch}}. Leave
tasks.md as it is: the office ticks it.
{{conflicts}}
When it is committed, say {{done}} on a line of its own."""


def check(template: str | None, names: frozenset[str], field: str) -> None:
    """
    Raises:
        InvalidPayload: it holds a name that is not filled in.
    """
    unknown = next((found[1] for found in _NAME.finditer(template or "") if found[1] not in names), None)
    if unknown is not None:
        raise InvalidPayload(
            f"{field}: there is no {{{{{unknown}}}}}", advice=f"there are {', '.join(sorted(names))}", field=field
        )


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: values.get(found[1], found[0]), template)


def planning(task: Mapping[str, Any], comments: list[Mapping[str, Any]], roles: list[str]) -> str:
    """`comments`: on the documents of the round before."""
    values = {
        "name": task["name"],
        "title": task["title"],
        "description": task["description"],
        "folder": task["folder"],
        "branch": task["branch"],
        "round": str(task["round"]),
        "roles": ", ".join(roles),
        "comments": _comments(comments),
        "done": DONE_MARKER,
    }
    return _filled(task["planning_template"] or PLANNING, values)


def _comments(comments: list[Mapping[str, Any]]) -> str:
    if not comments:
        return ""
    lines = [f"- {_place(comment)}{comment['text']}" for comment in comments]
    return "The files are there already and were not accepted. Change them as these comments say:\n" + "\n".join(lines)


def _place(comment: Mapping[str, Any]) -> str:
    if not comment["document"]:
        return ""
    return f"{comment['document']}, line {comment['line']}: " if comment["line"] else f"{comment['document']}: "


def work(task: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    conflicts = "" if not session["conflicts"] else (
        f"Your work is done, but it conflicts with what others did meanwhile, in: {', '.join(session['conflicts'])}."
        f" Run `git merge {task['branch']}`, resolve the conflicts so that both works are kept, test, and commit."
    )  # fmt: skip
    values = {
        "name": task["name"],
        "task": task["title"],
        "title": session["title"],
        "body": session["body"],
        "label": session["label"],
        "role": session["role"],
        "folder": task["folder"],
        "branch": task["branch"],
        "conflicts": conflicts,
        "done": DONE_MARKER,
    }
    return _filled(task["work_template"] or WORK, values)
