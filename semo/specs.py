"""Shows spec tasks and agents' questions, and passes on what a person decides."""

import re
from pathlib import Path
from typing import Any

from rich.table import Table

from semo import console
from semo.office_api import OfficeApi
from semo.problems import SemoError

_SIGNS = {"done": "✔", "failed": "✘", "running": "▶", "merging": "▶", "cancelled": "-"}
_COMMENT = re.compile(r"^(?P<document>[\w./-]+\.(?:md|json))(?::(?P<line>\d+))?: *(?P<text>.*)$", re.DOTALL)


def text_of(given: str) -> str:
    """The text, or with `@FILE` that of a file."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SemoError(f"{given[1:]} cannot be read: {error}") from error


def comment_of(text: str) -> dict[str, Any]:
    """`design.md:12: words` is about that line, `design.md: words` about that document."""
    found = _COMMENT.match(text)
    if not found:
        return {"text": text}
    line = int(found["line"]) if found["line"] else None
    return {"text": found["text"], "document": found["document"], "line": line}


async def create(api: OfficeApi, wishes: dict[str, Any], *, as_json: bool) -> None:
    async with api:
        task = await api.post("/spec-tasks", wishes)
    if as_json:
        console.machine(task)
        return
    console.good(f"spec task {task['name']} is in {task['status']} · branch {task['branch']}")
    console.step(f"semo spec show {task['name']}")


async def list_all(api: OfficeApi, *, as_json: bool) -> None:
    async with api:
        found = await api.get("/spec-tasks")
    if as_json:
        console.machine(found)
        return
    rows = Table("task", "title", "status", "version")
    for task in found["spec_tasks"]:
        rows.add_row(task["name"], task["title"], task["status"], str(task["version"]))
    console.table(rows)


async def show(api: OfficeApi, name: str, *, as_json: bool) -> None:
    async with api:
        task = await api.get(f"/spec-tasks/{name}")
    if as_json:
        console.machine(task)
        return
    said = f"{task['title']} {_stands(task)}, {task['percent']} % · branch {task['branch']}"
    if task["status"] == "failed":
        console.out.print("✘ ", style="red", end="")
        console.out.print(said, markup=False)
        console.step(task["problem"])
        console.step(f"semo spec retry {name} goes on with it")
    else:
        console.good(said)
    if task["status"] == "review":
        version = task["version"]
        console.step(f"semo spec read {name} · semo spec approve {name} --version {version}")
        console.step(f'semo spec send-back {name} --version {version} -c "design.md:3: …"')
    rows = Table("", "session", "what", "role", "status", "")
    for session in task["sessions"]:
        why = session["problem"] or session["waits_for"] or session["progress"] or ""
        label = f"{session['label']} (of {session['parent']})" if session["parent"] else session["label"]
        sign = _SIGNS.get(session["status"], "·")
        rows.add_row(sign, label, session["title"], session["role"], session["status"], why)
    console.table(rows)


async def read(api: OfficeApi, name: str, document: str | None, version: int | None) -> None:
    async with api:
        task = await api.get(f"/spec-tasks/{name}")
        if not task["version"]:
            raise SemoError(f"{name} has no version to read yet: it {_stands(task)}")
        found = await api.get(f"/spec-tasks/{name}/versions/{version or task['version']}")
    documents: dict[str, str] = found["documents"]
    if document is not None and document not in documents:
        raise SemoError(f"version {found['version']} has no {document}", do=f"it has {', '.join(documents)}")
    console.good(f"{name}, version {found['version']}, commit {found['commit'][:12]}")
    for one in [document] if document is not None else documents:
        for number, line in enumerate(documents[one].splitlines(), 1):
            console.out.print(f"{one}:{number}: {line}", markup=False)


async def move(api: OfficeApi, name: str, what: str, body: dict[str, Any] | None = None) -> None:
    async with api:
        task = await api.post(f"/spec-tasks/{name}/{what}", body or {})
    console.good(f"spec task {name} {_stands(task)}")


async def tell(api: OfficeApi, name: str, text: str, to: str | None) -> None:
    async with api:
        await api.post(f"/spec-tasks/{name}/messages", {"text": text, "to": to})
    console.good(f"left for {to or 'all sessions'} of {name}")


async def questions(api: OfficeApi, *, as_json: bool) -> None:
    async with api:
        found = await api.get("/questions", status="open")
    if as_json:
        console.machine(found)
        return
    if not found["questions"]:
        console.good("no agent asks anything")
    for question in found["questions"]:
        console.quote(question["id"], question["text"])
        for option in question["options"]:
            console.step(option)
        console.step(f'semo answer {question["id"]} "…" · until {question["expires_at"][:19]}')


async def answer(api: OfficeApi, question: str, text: str) -> None:
    async with api:
        await api.post(f"/questions/{question}/answer", {"answer": text})
    console.good("answered")


def _stands(task: dict[str, Any]) -> str:
    match task["status"]:
        case "failed":
            return "has failed"
        case "done" | "cancelled" as end:
            return f"is {end}"
        case where:
            return f"is in {where}"
