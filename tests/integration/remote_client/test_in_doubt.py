"""Between the first byte on its way to a terminal and the word that it is there: what may have been typed is not typed
again, whatever comes in between.

The host's word is held back in the client, for the moment that it takes is too short to be met.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from remote_client.ptyhost.host_terminals import HostTerminals
from shared.errors import HostGone
from shared.ids import SessionId
from tests.integration.remote_client.office import MakeMachine, Office, written

DONE = "echo '[SEMO:DONE]'"

Then = Callable[[HostTerminals, SessionId], Awaitable[None]]


def after_the_write(patch: pytest.MonkeyPatch, words: bytes, then: Then) -> None:
    """Whatever holds these words is written as ever; `then` comes before the client hears of it."""
    write = HostTerminals.write

    async def wrapped(self: HostTerminals, session_id: SessionId, data: bytes, key: str | None = None) -> None:
        await write(self, session_id, data, key)
        if words in data:
            await then(self, session_id)

    patch.setattr(HostTerminals, "write", wrapped)


async def _no_word(_terminals: HostTerminals, _session_id: SessionId) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("command_type", ["send_prompt", "send_text"])
async def test_a_client_that_stops_before_it_hears_that_it_typed_leaves_that_to_the_next_one(
    office: Office, machine: MakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_type: str
) -> None:
    laptop, typed = await machine("laptop"), tmp_path / "typed"
    await laptop.start(sessions_at_stop="keep")
    session = await office.session()
    with monkeypatch.context() as patch:
        after_the_write(patch, b"once", _no_word)
        text = f"echo once >> {typed}\n" + (f"{DONE}\n" if command_type == "send_prompt" else "")
        asked = await office.ask(command_type, {"text": text}, session_id=session)
        await written(typed)
        await laptop.stop()

    await laptop.start()

    command = await office.until(asked)
    assert (command.status, command.row["attempt"]) == ("completed", 1)
    assert typed.read_text() == "once\n"


async def test_what_a_host_may_have_typed_before_it_was_lost_is_not_typed_in_another_session(
    office: Office, machine: MakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host itself lives here, and makes other sessions: nothing else keeps the text from being typed in one."""
    laptop, typed = await machine("laptop"), tmp_path / "typed"
    await laptop.start()

    async def lost(_terminals: HostTerminals, _session_id: SessionId) -> None:
        await written(typed)
        raise HostGone("the host of the terminals has ended")

    after_the_write(monkeypatch, b"once", lost)
    command = await office.do("send_prompt", {"role": "BE", "text": f"echo once >> {typed}\n{DONE}"})

    assert (command.status, command.error_code) == ("failed", "host_gone")
    assert typed.read_text() == "once\n"


async def test_what_a_terminal_refused_is_typed_in_another_session(
    office: Office, machine: MakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, typed = await machine("laptop"), tmp_path / "typed"
    await laptop.start()
    write, refused = HostTerminals.write, list[Any]()

    async def ends_first(self: HostTerminals, session_id: SessionId, data: bytes, key: str | None = None) -> None:
        if b"once" in data and not refused:
            refused.append(await self.kill(session_id, 0))
        await write(self, session_id, data, key)

    monkeypatch.setattr(HostTerminals, "write", ends_first)
    command = await office.do("send_prompt", {"role": "BE", "text": f"echo once >> {typed}\n{DONE}"})

    assert (command.status, command.row["attempt"], len(refused)) == ("completed", 1, 1)
    assert typed.read_text() == "once\n"


async def test_what_a_machine_may_have_typed_before_it_lost_its_power_is_not_typed_after_it(
    office: Office, machine: MakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journal knows nothing of it any more, and its lease has not run out."""
    laptop, typed = await machine("laptop"), tmp_path / "typed"
    await laptop.start(sessions_at_stop="keep")
    with monkeypatch.context() as patch:
        after_the_write(patch, b"once", _no_word)
        asked = await office.ask("send_prompt", {"role": "BE", "text": f"echo once >> {typed}\n{DONE}"})
        await written(typed)
        await laptop.stop()
    await laptop.kill_host()
    with closing(sqlite3.connect(laptop.settings().state / "journal.sqlite", isolation_level=None)) as journal:
        assert journal.execute("delete from holds").rowcount == 1
    monkeypatch.setattr("remote_client.journal.this_boot", lambda: "the next one")

    await laptop.start()

    command = await office.until(asked)
    assert (command.status, command.row["attempt"]) == ("lost", 1)
    assert "started anew" in command.error
    assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "completed"
    assert typed.read_text() == "once\n"
