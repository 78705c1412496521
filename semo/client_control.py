"""`semo client status`, `pause`, `resume` and `stop`: speaks to the client that runs on this machine by its socket."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.table import Table

from remote_client.control.link import ControlLink
from semo import console
from semo.problems import Exit, SemoError
from shared.errors import OfficeError
from shared.local import LocalSession, Snapshot


async def show(states: Sequence[Path], *, as_json: bool) -> None:
    async with _client(states) as link:
        snapshot = await link.snapshot()
    if as_json:
        told = asdict(snapshot)
        del told["policy"]["text"]
        console.machine(told)
        return
    _say_state(snapshot)
    _say_sessions(snapshot.sessions)
    for approval in snapshot.approvals:
        console.step(f"waits for you: {approval.role} wants to use {approval.tool} · semo approvals, or semo desktop")
    for question in snapshot.questions:
        console.step(f"asks: {question.role}: {question.text[:100]} · semo questions, or semo desktop")


def _say_state(snapshot: Snapshot) -> None:
    state = snapshot.state
    since = datetime.fromisoformat(state.connection_since)
    connection = f"offline since {since:%H:%M} UTC" if state.connection == "offline" else state.connection
    offices = ", ".join(office.name for office in state.offices) or "no office yet"
    console.good(f"{state.name or 'this machine'} · {connection} · {state.places_taken} of {state.places} in use")
    console.step(f"for {offices} · version {state.version}, pid {state.pid} · {state.state_folder}")
    if state.paused_since:
        console.step(f"paused since {datetime.fromisoformat(state.paused_since):%H:%M} UTC: semo client resume")
    if state.stuck:
        console.step("its disk is full: nothing is taken or typed until there is room")


def _say_sessions(sessions: Sequence[LocalSession]) -> None:
    if not sessions:
        console.step("no sessions")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("session", "role", "agent", "status", "branch", "doing"):
        table.add_column(column, no_wrap=True, overflow="ellipsis", max_width=40)
    for one in sessions:
        table.add_row(one.session_id[:8], *map(_plain, (one.role, one.agent, one.status, one.branch, one.doing)))
    console.table(table)


async def pause(states: Sequence[Path], *, paused: bool) -> None:
    async with _client(states) as link:
        await link.call("pause", paused=paused)
    if paused:
        console.good("paused: this machine takes no new work and finishes what it has")
        console.step("it stays so over restarts, until: semo client resume")
    else:
        console.good("this machine takes new work again")


async def stop_session(states: Sequence[Path], name: str) -> None:
    async with _client(states) as link:
        found = [one for one in (await link.snapshot()).sessions if one.session_id.startswith(name.lower())]
        if len(found) != 1:
            raise SemoError(
                f"{len(found) or 'no'} sessions of this machine begin with {name}",
                do="semo client status shows them",
                exit_code=Exit.USAGE,
            )
        await link.call("stop_session", session_id=found[0].session_id)
    console.good(f"session {found[0].session_id[:8]} ({found[0].role}) has ended")


async def stop_all(states: Sequence[Path]) -> None:
    async with _client(states) as link:
        count, _ = await link.call("stop_all")
    console.good(f"{count} sessions have ended, and this machine takes no new work")
    console.step("to go on: semo client resume")


async def stop_client(states: Sequence[Path]) -> None:
    async with _client(states) as link:
        await link.call("stop_client")
        await link.until_closed()
    console.good("the client has stopped; its sessions wait for its next start, unless it was told to end them")


@asynccontextmanager
async def _client(states: Sequence[Path]) -> AsyncGenerator[ControlLink]:
    """The first client that runs on one of these state folders.

    Raises:
        SemoError: none does, or it refuses.
    """
    try:
        for state in dict.fromkeys(states):
            link = await ControlLink.open_to(state)
            if link is not None:
                try:
                    yield link
                finally:
                    await link.close()
                return
    except OfficeError as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.REFUSED) from error
    raise SemoError(
        "no client runs on this machine", do="semo client start, or name its folder with --state",
        exit_code=Exit.UNREACHABLE,
    )  # fmt: skip


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
