"""Shows the pools of an office to a person: who is there, which session is in whose hands, and why what waits does.

Draws what `GET …/pool` says; asks for nothing itself.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from semo import console

Row = Mapping[str, Any]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STATES = {
    "creating": ("starting", "dim"),
    "ready": ("held", ""),
    "executing": ("working", "green"),
    "waiting_input": ("waits for input", "yellow"),
    "needs_permission": ("asks permission", "yellow"),
    "error": ("error", "red"),
}
"""What the status of a session that somebody holds means to a person, and its style."""
_HOLDERS = {"create_session": "session", "send_prompt": "prompt"}


def draw(pool: Row, holders: Mapping[str, Row]) -> None:
    """Prints the answer of `GET …/pool`. `holders`: the commands that hold sessions, by id."""
    console.step(_summary(pool))
    for client in pool["clients"]:
        console.out.print()
        console.out.print(_headline(client, pool))
        for complaint in _held_back(client):
            console.out.print(f"  ! {complaint}", style="yellow", markup=False)
        console.out.print(_sessions(client, pool, holders))
    if not pool["clients"]:
        console.step("no machine has joined it yet; let one in with: semo client join CODE")
    _section("cannot be made at present", list(_circuits(pool)))
    _section("waiting", list(_pending(pool)))


def _summary(pool: Row) -> str:
    total = int(pool["pending_total"])
    waits = {0: "nothing waits", 1: "1 command waits"}.get(total, f"{total} commands wait")
    warm = ", ".join(pool["warm_roles"]) or "none"
    return f"{pool['places_taken']} of {pool['session_limit']} sessions in use · {waits} · kept warm: {warm}"


def _headline(client: Row, pool: Row) -> Text:
    line = Text()
    line.append("● " if client["online"] else "○ ", "green" if client["online"] else "red")
    line.append(_plain(client["name"]), "bold")
    if client["online"]:
        agents = ", ".join(f"{name} {version}" for name, version in sorted(client["agents"].items()))
        hears = "" if client["connection"] == "live" else "no hints reach it, it looks every few seconds"
        parts = [client["connection"], hears, f"{client['places_taken']} of {client['capacity']} in use", agents]
    elif client["last_seen_at"]:
        parts = [f"offline since {client['last_seen_at'][:16].replace('T', ' ')} UTC"]
        parts.append(f"{_age(client['last_seen_at'], pool['at'])} ago")
    else:
        parts = ["has never been online"]
    return line.append("".join(f" · {_plain(part)}" for part in parts if part), "dim")


def _held_back(client: Row) -> Iterator[str]:
    if client["draining_since"]:
        yield f"takes no new work; undo it with: semo clients drain {client['name']} --off"
    if client.get("paused_since"):
        yield "takes no new work: its own user has paused it; on that machine: semo client resume"
    holding_back: Row = client["holding_back"] or {}
    for agent, need in holding_back.get("agents", {}).items():
        reason = str(holding_back["reason"]).replace("_", " ")
        free, needed = holding_back["free_mb"], need["needed_mb"]
        yield f"no new session of {_plain(agent)}: {reason}, {free} MB are free and {needed} MB needed"


def _sessions(client: Row, pool: Row, holders: Mapping[str, Row]) -> Padding:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    several = len(client["agents"]) > 1
    for column in ("role/task", "pool", "state", "for", "session", *(["agent"] if several else [])):
        table.add_column(column, no_wrap=True, justify="right" if column == "for" else "left")
    table.add_column("held by", overflow="fold")
    mine = [session for session in pool["sessions"] if session["client_id"] == client["client_id"]]
    for session in sorted(mine, key=lambda one: (one["role"], one["created_at"])):
        since = session["held_since"] or session["idle_since"] or session["created_at"]
        where = f"{session['role']}/{session['task']}" if session["task"] else session["role"]
        table.add_row(
            _plain(where), session["pool"], _state(session), _age(since, pool["at"]), session["session_id"][:8],
            *([_plain(session["agent"])] if several else []), _holder(session, holders),
        )  # fmt: skip
    there = {session["role"] for session in mine if session["pool"] == "warm"}
    for role in client["warm_roles"]:
        if role not in there:
            table.add_row(_plain(role), "warm", Text("not there yet", "dim"))
    table.show_header = table.row_count > 0
    return Padding(table, (0, 0, 0, 2), expand=False)


def _state(session: Row) -> Text:
    if session["acquired_by"] is None and session["status"] == "ready":
        return Text("idle", "dim")
    return Text(*_STATES[session["status"]])


def _holder(session: Row, holders: Mapping[str, Row]) -> Text:
    command = holders.get(session["acquired_by"] or "")
    if command is None:
        return Text()
    what = _HOLDERS.get(command["command_type"], command["command_type"])
    return Text(_plain(f"{what} of {command['author'] or 'nobody known'}"))


def _circuits(pool: Row) -> Iterator[tuple[str, str]]:
    names = {client["client_id"]: client["name"] for client in pool["clients"]}
    for circuit in pool["circuits"]:
        due = _age(pool["at"], circuit["open_until"])
        where = f"{circuit['role']} on {names.get(circuit['client_id'], 'a client that has left')}"
        yield (
            f"{where}: failed {circuit['failures']} times in a row, tried again in {due}",
            f"{circuit['error_code']}: {circuit['error']}",
        )


def _pending(pool: Row) -> Iterator[tuple[str, str]]:
    for command in pool["pending"]:
        whose = command["role"] or f"in session {(command['session_id'] or 'unknown')[:8]}"
        since = _age(command["created_at"], pool["at"])
        waiting = command["waiting"]
        yield (
            f"{command['command_id']} · {command['command_type']} · {whose} · for {since}",
            waiting["detail"] if waiting else "Nothing holds it back; it is taken at any moment.",
        )
    if more := pool["pending_total"] - len(pool["pending"]):
        yield f"and {more} more", ""


def _section(title: str, entries: list[tuple[str, str]]) -> None:
    if not entries:
        return
    console.out.print()
    console.out.print(title, style="bold")
    for what, why in entries:
        console.out.print(f"  {_plain(what)}", markup=False)
        if why:
            console.out.print(f"    {_plain(why)}", style="dim", markup=False)


def _age(begin: str, end: str) -> str:
    """From one moment to another, in the largest unit that is whole."""
    seconds = max(0, int((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()))
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def _plain(text: str) -> str:
    """What others wrote, on one line and without anything that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)
