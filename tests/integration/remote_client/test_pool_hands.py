"""A session is in somebody's hands only for as long as they know of it: what a failed command had taken goes back."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from remote_client.office_link import OfficeLink
from remote_client.ptyhost.host_terminals import HostTerminals
from shared.errors import BackendDown, SessionFailed
from tests.integration.remote_client.office import MakeMachine, Office

DONE = "echo '[SEMO:DONE]'"
IDLE = "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null"


async def with_an_idle_session(office: Office, machine: MakeMachine) -> UUID:
    """A machine with one place, whose one session has served a prompt and waits in the pool."""
    await (await machine(max_sessions=1)).start()
    session_id = UUID((await office.do("send_prompt", {"role": "BE", "text": DONE})).result["session_id"])
    await office.until_true(IDLE, session_id)
    return session_id


def failing_once(error: Exception, after: Any = None) -> Callable[..., Awaitable[None]]:
    """A method that fails at its first call, once `after` has done its work; from then on `after` alone."""
    left = [error]

    async def method(*arguments: Any) -> None:
        if after is not None:
            await after(*arguments)
        if left:
            raise left.pop()

    return method


async def test_a_session_that_was_taken_and_could_not_be_given_its_size_goes_back_to_its_pool(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await with_an_idle_session(office, machine)
    error = SessionFailed("the terminal does not answer")
    monkeypatch.setattr(HostTerminals, "resize", failing_once(error, HostTerminals.resize))

    failed = await office.do("create_session", {"role": "BE", "cols": 100, "rows": 30})

    assert (failed.status, failed.error_code) == ("failed", "session_failed"), failed
    await office.until_true(IDLE, session_id)
    assert await office.session(cols=100, rows=30) == session_id, "the next one gets it"


async def test_a_session_whose_taking_the_office_heard_and_could_not_confirm_goes_back_to_its_pool(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await with_an_idle_session(office, machine)
    monkeypatch.setattr(OfficeLink, "acquire_session", failing_once(BackendDown(), OfficeLink.acquire_session))

    failed = await office.do("create_session", {"role": "BE"})

    assert (failed.status, failed.error_code) == ("failed", "backend_down"), failed
    await office.until_true(IDLE, session_id)
    assert await office.session() == session_id, "the next one gets it"
