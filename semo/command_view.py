"""Shows commands to a person: what was asked for, every step of each attempt, why it waits, and what came of it.

Draws what the office says; asks for nothing itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from semo import console

Row = Mapping[str, Any]

_STEPS = (
    ("offered", "offered_at"),
    ("claimed", "claimed_at"),
    ("typed", "typed_at"),
    ("confirmed", "confirmed_at"),
    ("finished", "finished_at"),
    ("reported", "reported_at"),
)
_STYLES = {"completed": "green", "failed": "red", "lost": "red", "processing": "cyan", "pending": "yellow"}
_SHOWN_CHARACTERS = 60


def draw(command: Row) -> None:
    """Prints the answer of `GET …/commands/{id}`."""
    head = Text(f"{command['command_type']} {command['id']}  ", "bold")
    console.out.print(head.append(command["status"], _STYLES.get(command["status"], "dim")))
    for name, value in _facts(command):
        console.step(f"{name:<9} {value}")
    console.table(_receipts(command["receipts"], command["created_at"]))
    waiting: Row | None = command["waiting"]
    if waiting is not None:
        console.out.print(f"\n{waiting['detail']}", style="yellow", markup=False)
        if waiting["advice"]:
            console.step(waiting["advice"])
    if command["error"]:
        console.out.print(f"\n✘ {command['error_code']}: {_plain(command['error'])}", style="red", markup=False)
    result: Row = command["result"] or {}
    for evidence in result.get("evidence", []):
        console.step(f"known by {_short(json.dumps(evidence, ensure_ascii=False), 160)}")


def draw_list(commands: Sequence[Row]) -> None:
    """Prints the answer of `GET …/commands`, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("command", "type", "status", "asked at (UTC)", "typed after", "finished after", "by"):
        table.add_column(column, no_wrap=True)
    table.add_column("what", overflow="ellipsis", no_wrap=True, max_width=_SHOWN_CHARACTERS)
    for one in commands:
        table.add_row(
            one["id"][:8], one["command_type"], Text(one["status"], _STYLES.get(one["status"], "dim")),
            _moment(one["created_at"]), _after(one["created_at"], one["typed_at"]),
            _after(one["created_at"], one["finished_at"]), Text(_plain(one["author"] or "")), Text(_what(one)),
        )  # fmt: skip
    console.table(table) if commands else console.step("nothing was asked for yet")


def draw_audit(acts: Sequence[Row]) -> None:
    """Prints the answer of `GET …/audit`, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("at (UTC)", "who", "did", "to"):
        table.add_column(column, no_wrap=True)
    table.add_column("with", overflow="ellipsis", no_wrap=True, max_width=_SHOWN_CHARACTERS)
    for act in acts:
        detail = _plain(json.dumps(act["detail"], ensure_ascii=False)) if act["detail"] else ""
        table.add_row(
            _moment(act["at"]), Text(_plain(act["actor"])), act["action"], Text(act["subject"] or ""), Text(detail)
        )
    console.table(table)


def _facts(command: Row) -> Iterator[tuple[str, str]]:
    yield "asked by", _plain(command["author"] or "nobody known")
    if command["session_id"]:
        yield "session", command["session_id"]
    if what := _what(command):
        yield "what", what
    if command["deadline"]:
        yield "until", _moment(command["deadline"])


def _what(command: Row) -> str:
    payload: Row = command["payload"]
    role = f"{payload['role']}: " if payload.get("role") else ""
    text = payload.get("text") or " ".join(map(str, payload.get("keys", [])))
    return role + _short(str(text), _SHOWN_CHARACTERS)


def _receipts(receipts: Sequence[Row], stored_at: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", title_justify="left")
    table.add_column("attempt")
    table.add_column("stored")
    for name, _ in _STEPS:
        table.add_column(name, no_wrap=True)
    table.add_column("ended")
    for receipt in receipts:
        ended = " ".join(str(word) for word in (receipt["ended"] or "goes on", receipt["error_code"]) if word)
        steps = [_after(stored_at, receipt[column]) for _, column in _STEPS]
        table.add_row(str(receipt["attempt"]), _moment(stored_at)[11:], *steps, ended)
    return table


def _after(begin: str, end: str | None) -> str:
    if end is None:
        return "–"
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    return f"+{seconds * 1000:.0f} ms" if abs(seconds) < 10 else f"+{seconds:.0f} s"


def _moment(at: str) -> str:
    return at[:19].replace("T", " ")


def _short(text: str, most: int) -> str:
    line = _plain(text)
    return line if len(line) <= most else line[: most - 1] + "…"


def _plain(text: str) -> str:
    """What others wrote, on one line and without anything that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)
