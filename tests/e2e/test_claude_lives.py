"""The real Claude Code from its start to its end: what it asks first, restarts around it, its death, its next life."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from remote_client.policy import AgentRule
from shared.errors import SessionFailed
from shared.states import TurnOutcome
from tests.support.claude_terminal import READY_SECONDS, ClaudeTerminal
from tests.support.messages_api import MessagesApi, Say, say

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

DONE = "[SEMO:DONE]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[MessagesApi]:
    async with MessagesApi.serving() as serving:
        yield serving


async def test_a_restarted_client_follows_the_turn_to_its_end_and_types_nothing_again(api: MessagesApi):
    """And the agent goes on living: killed in a later turn, and followed by another that knows its conversation."""
    hold = asyncio.Event()
    api.script("EARLIER", say(f"The word is heron. {DONE}"))
    api.script("HELD", Say(["Working on it.\n", f"Done now.\n{DONE}"], hold=hold))
    async with ClaudeTerminal.running(api.url) as claude:
        await claude.prompt("EARLIER prompt")
        turn = claude.begin("HELD prompt")
        await api.until_asked("HELD")
        again = await claude.begin_again("HELD prompt", turn)
        hold.set()
        ended = await again
        assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
        assert ended.cost_usd == pytest.approx(0.01, abs=0.009)
        assert len(api.asked("HELD")) == 1
        [conversation] = [one["session_id"] for one in ended.evidence if one["kind"] == "agent_session"]

        hold.clear()
        api.script("KILLED", Say(["Working on it.\n"], hold=hold))
        turn = claude.begin("KILLED prompt")
        await api.until_asked("KILLED")
        os.kill(await claude.pid(), signal.SIGKILL)
        ended = await turn
        assert (ended.outcome, ended.alive) == (TurnOutcome.ERROR, False)
        assert {"kind": "exit", "signal": 9}.items() <= next(
            one for one in ended.evidence if one["kind"] == "exit"
        ).items()

        api.script("RESUMED", say(DONE))
        async with ClaudeTerminal.running(api.url, home=claude.home, resume=conversation) as next_life:
            ended = await next_life.prompt("RESUMED prompt")
            assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
            assert "The word is heron." in str(api.asked("RESUMED")[-1]["messages"])


async def test_a_prompt_whose_enter_was_lost_with_the_client_is_sent_and_not_typed_again(api: MessagesApi):
    api.script("UNSENT", say(DONE))
    async with ClaudeTerminal.running(api.url) as claude:
        await claude.terminals.write(claude.session_id, b"\x1b[200~UNSENT prompt\x1b[201~")
        await claude.until_shown("UNSENT prompt", 0)
        ended = await (await claude.begin_again("UNSENT prompt"))
        assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
        assert str(api.asked("UNSENT")[-1]["messages"]).count("UNSENT prompt") == 1


async def test_a_conversation_that_is_not_there_cannot_be_resumed(api: MessagesApi):
    unknown = "00000000-0000-4000-8000-000000000000"
    async with ClaudeTerminal.running(api.url, ready=False, resume=unknown) as claude:
        with pytest.raises(SessionFailed, match="No conversation found"):
            await claude.driver.until_ready(READY_SECONDS)


async def test_a_folder_that_nobody_trusts_is_told_and_not_trusted_silently(api: MessagesApi):
    async with ClaudeTerminal.running(api.url, trusted=False, ready=False) as claude:
        with pytest.raises(SessionFailed, match="trusted") as failed:
            await claude.driver.until_ready(READY_SECONDS)
        assert "trust_worktrees" in (failed.value.advice or "")


async def test_a_policy_that_trusts_its_worktrees_says_so_to_the_agent_and_a_narrow_terminal_is_read(api: MessagesApi):
    api.script("NARROW", say(f"{'long words ' * 20}\n{DONE}"))
    rule = AgentRule(trust_worktrees=True)
    async with ClaudeTerminal.running(api.url, rule=rule, trusted=False, cols=40) as claude:
        ended = await claude.prompt("NARROW " + "words that wrap " * 20)
        assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
