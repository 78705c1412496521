"""The journal: what it says after its process has gone."""

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from remote_client.commands import Command, Completion
from remote_client.journal import Journal
from remote_client.notes import SessionNote, TurnNote, TypingNote
from shared.errors import Conflict
from shared.ids import Attempt, ByteOffset, CommandId, OfficeId, SessionId, TurnId
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
