"""The journal: what it says after its process has gone."""

import asyncio
import random
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import remote_client.journal
from remote_client.commands import Command, Completion
from remote_client.journal import Journal
from remote_client.notes import SessionNote, TurnNote, TypingNote
from shared.errors import CannotNote, Conflict
from shared.ids import Attempt, ByteOffset, CommandId, OfficeId, SessionId, StartId, TurnId
from shared.states import CommandType, SessionPool, SessionStatus

SOME_KEYS = TypingNote(OfficeId(uuid4()), SessionId(uuid4()))
A_TURN = TypingNote(
    OfficeId(uuid4()),
    SessionId(uuid4()),
    TurnNote(TurnId(uuid4()), "say é", 3.5, 1_700_000_000.25, "abc", ByteOffset(12), 3, own_session=True),
)
A_SESSION = SessionNote(
    SessionId(uuid4()), OfficeId(uuid4()), "BE", "shell", SessionPool.WARM, 80, 24, None, "tools", "BE", "work-1", 4,
    {"nonce": "1"},
)  # fmt: skip


def a_command() -> Command:
    return Command(CommandId(uuid4()), Attempt(2), OfficeId(uuid4()), None, CommandType.SEND_PROMPT, {"text": "x"})


@pytest.mark.parametrize("field", ["id", "attempt", "command_type", "session_id", "office_id", "persona_version"])
@pytest.mark.parametrize("hostile", [[], {}, 7.5, True, "\x00", ["x"], {"id": None}, 1e300, "text", None], ids=repr)
async def test_a_row_that_makes_no_sense_is_no_command_or_one_that_can_be_noted(
    tmp_path: Path, field: str, hostile: Any
) -> None:
    row: dict[str, Any] = {"id": str(uuid4()), "attempt": 1, "office_id": str(uuid4()), "session_id": str(uuid4()),
                           "command_type": "send_prompt", "payload": {}, "persona_version": 1}  # fmt: skip
    try:
        command = Command.from_row({**row, field: hostile})
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    with Journal(tmp_path / "journal") as journal:
        journal.claimed([command])
    with Journal(tmp_path / "journal") as journal:
        assert [entry.command_id for entry in journal.entries()] == [command.command_id]


async def test_each_step_is_there_after_a_restart(tmp_path: Path) -> None:
    claimed, typing, typed, finished, settled = (a_command() for _ in range(5))
    completion = Completion(
        False, {"a": "é"}, "turn_error", "it failed", SessionStatus.READY, datetime(2026, 1, 1, tzinfo=UTC)
    )
    with Journal(tmp_path / "journal") as journal:
        journal.claimed([claimed, typing, typed, finished, settled])
        journal.typing(typing, A_TURN)
        journal.typing(typed, SOME_KEYS)
        journal.typed(typed)
        journal.finished(finished, completion)
        journal.settled(settled.command_id, settled.attempt)

    with Journal(tmp_path / "journal") as journal:
        entries = {entry.command_id: entry for entry in journal.entries()}

    states = {command_id: entry.state for command_id, entry in entries.items()}
    assert states == {
        claimed.command_id: "claimed",
        typing.command_id: "typing",
        typed.command_id: "typed",
        finished.command_id: "finished",
    }
    assert entries[typing.command_id].typing == A_TURN
    assert entries[typed.command_id].typing == SOME_KEYS
    assert entries[finished.command_id].completion == completion
    assert entries[finished.command_id].attempt == 2


async def test_a_typing_entry_is_durable_when_the_call_returns(tmp_path: Path) -> None:
    command = a_command()
    journal = Journal(tmp_path / "journal")
    journal.claimed([command])
    journal.typing(command, SOME_KEYS)

    # A copy of the files as a crash would leave them, without any goodbye.
    for path in tmp_path.iterdir():
        (tmp_path / f"copy{path.name.removeprefix('journal')}").write_bytes(path.read_bytes())
    with Journal(tmp_path / "copy") as copy:
        assert [entry.state for entry in copy.entries()] == ["typing"]
    journal.close()


async def test_a_session_is_there_after_a_restart_until_it_is_over(tmp_path: Path) -> None:
    over = replace(A_SESSION, session_id=SessionId(uuid4()))
    with Journal(tmp_path / "journal") as journal:
        journal.session_began(over)
        journal.session_began(A_SESSION)
        journal.session_over(over.session_id)

    with Journal(tmp_path / "journal") as journal:
        assert journal.sessions() == [A_SESSION]


async def test_the_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal"):
        pass
    with closing(sqlite3.connect(tmp_path / "journal")) as database:
        database.execute("pragma user_version = 99")

    with pytest.raises(Conflict, match="newer version"):
        Journal(tmp_path / "journal")


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal"), pytest.raises(Conflict, match="another process of this client"):
        Journal(tmp_path / "journal")


async def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal"):
        assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o600


class Disk(sqlite3.Connection):
    """SQLite on a disk that may be full: nothing can be committed then, and what was begun is undone."""

    is_full = False

    def execute(self, statement: str, *more: Any) -> sqlite3.Cursor:
        if Disk.is_full and statement == "commit":
            if random.random() < 0.5:  # noqa: S311  SQLite may undo it all by itself, or not
                super().execute("rollback")
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(statement, *more)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> type[Disk]:
    monkeypatch.setattr(Disk, "is_full", False)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Disk))
    monkeypatch.setattr(remote_client.journal, "AGAIN_SECONDS", 0.01)
    return Disk


async def test_on_a_full_disk_nothing_is_typed_and_nothing_is_lost(tmp_path: Path, disk: type[Disk]) -> None:
    untyped, finished, new = (a_command() for _ in range(3))
    room = asyncio.Event()
    with Journal(tmp_path / "journal") as journal:
        journal.on_room(room.set)
        journal.claimed([untyped, finished])
        journal.typing(finished, SOME_KEYS)
        disk.is_full = True

        with pytest.raises(CannotNote, match="disk is full") as refusal:
            journal.typing(untyped, SOME_KEYS)
        journal.claimed([new])
        journal.finished(finished, Completion(True, {}))
        assert journal.is_stuck
        assert "make room" in (refusal.value.advice or "")

        disk.is_full = False
        await room.wait()
        assert not journal.is_stuck
        journal.typing(new, SOME_KEYS)

    with Journal(tmp_path / "journal") as journal:
        states = {entry.command_id: entry.state for entry in journal.entries()}
    assert states == {untyped.command_id: "claimed", finished.command_id: "finished", new.command_id: "typing"}


async def test_a_full_disk_is_not_taken_for_another_process(tmp_path: Path, disk: type[Disk]) -> None:
    disk.is_full = True

    with pytest.raises(CannotNote, match="disk is full"):
        Journal(tmp_path / "journal")


async def test_a_journal_of_an_earlier_boot_says_so_until_the_office_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that loses its power takes with it what was written last, and nobody has to guess what that was."""

    def boot(name: str) -> None:
        monkeypatch.setattr(remote_client.journal, "this_boot", lambda: name)

    def begun(*, told: bool) -> bool:
        with Journal(tmp_path / "journal") as journal:
            restarted, start = journal.machine_restarted, StartId(uuid4())
            journal.begins(start)
            if told:
                journal.began(start)
        return restarted

    boot("first")
    assert not begun(told=True)
    assert not begun(told=True)
    boot("second")
    assert begun(told=False)
    assert begun(told=False), "the office was not told yet"
    boot("third")
    assert begun(told=True)
    assert not begun(told=True)


async def test_a_start_is_known_until_a_later_one_has_begun(tmp_path: Path) -> None:
    first, in_vain, second, third = (StartId(uuid4()) for _ in range(4))
    with Journal(tmp_path / "journal") as journal:
        assert journal.begins(first) == [first]
        journal.began(first)
    with Journal(tmp_path / "journal") as journal:
        assert set(journal.begins(in_vain)) == {first, in_vain}
        assert set(journal.begins(in_vain)) == {first, in_vain}, "asked again"
    with Journal(tmp_path / "journal") as journal:
        assert set(journal.begins(second)) == {first, in_vain, second}
        journal.began(second)
    with Journal(tmp_path / "journal") as journal:
        assert set(journal.begins(third)) == {second, third}


async def test_a_copy_of_the_file_knows_of_no_start(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.begins(StartId(uuid4()))
    shutil.copy(tmp_path / "journal", tmp_path / "copy")
    start = StartId(uuid4())

    with Journal(tmp_path / "copy") as copy:
        assert copy.begins(start) == [start]


async def test_a_command_of_a_type_that_only_a_newer_office_knows_is_kept(tmp_path: Path) -> None:
    strange = replace(a_command(), command_type="dance")
    with Journal(tmp_path / "journal") as journal:
        journal.claimed([strange])

    with Journal(tmp_path / "journal") as journal:
        assert [entry.command_type for entry in journal.entries()] == ["dance"]
