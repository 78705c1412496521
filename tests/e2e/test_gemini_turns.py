"""The real Gemini CLI against a stub of its API on loopback: how each kind of turn ends, and how that is known."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from remote_client.agents.further_agents import GEMINI
from remote_client.agents.screen_agent import ScreenAdapter
from remote_client.policy import AgentRule
from shared.states import TurnOutcome
from tests.support.agent_terminal import AgentTerminal, Workplace
from tests.support.gemini_cli import GeminiApi, gemini_command, gemini_home, unshared_folder
from tests.support.messages_api import Fail, Say, Use, say

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

DONE = "[SEMO:DONE]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[GeminiApi]:
    async with GeminiApi.serving() as serving:
        yield serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gemini(api: GeminiApi) -> AsyncIterator[AgentTerminal]:
    command = gemini_command()
    workplace = Workplace.make(unshared_folder())
    (workplace.repository / ".claude").mkdir()
    (workplace.repository / ".claude" / "CLAUDE.md").write_text("You are the persona of this test.\n")
    environment = gemini_home(workplace.home, api.url)
    rule = AgentRule(command=command, trust_worktrees=True)
    running = AgentTerminal.running(
        ScreenAdapter(GEMINI, "gemini", rule), workplace, environment, model="gemini-2.5-flash"
    )
    try:
        async with running as terminal:
            yield terminal
    finally:
        workplace.remove()


async def test_a_prompt_is_done_when_the_agent_itself_says_so(api: GeminiApi, gemini: AgentTerminal):
    api.script("PLAIN", say("All ", f"good.\n\n{DONE}"))
    ended = await gemini.prompt("PLAIN please")
    assert (ended.outcome, ended.marker, gemini.confirmed) == (TurnOutcome.DONE, True, 1)
    assert {"hook", "title", "screen", "marker"} <= {one["kind"] for one in ended.evidence}
    assert "You are the persona of this test." in str(api.asked[-1])


async def test_a_marker_of_an_earlier_turn_or_of_the_prompt_is_not_said(api: GeminiApi, gemini: AgentTerminal):
    api.script("QUOTED", say("I will not say it."))
    ended = await gemini.prompt(f"QUOTED: end with {DONE}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)


async def test_a_permission_request_is_told_and_answered_by_keys(api: GeminiApi, gemini: AgentTerminal):
    api.script("TOUCH", Use("run_shell_command", {"command": "touch made.txt", "description": "x"}), say(DONE))
    since, shown = len(gemini.moves), len(gemini.output)
    turn = gemini.begin("TOUCH it")
    asked = await gemini.until_moved("needs_permission", since)
    assert "touch made.txt" in str(asked)
    await gemini.until_shown("Allow once", shown)
    await gemini.press(b"\r")
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    told = [(use.tool, use.what, use.over) for use in gemini.uses]
    assert told == [("run_shell_command", "touch made.txt", False), ("run_shell_command", "touch made.txt", True)]


async def test_an_interrupt_stops_the_turn_and_the_next_one_is_whole(api: GeminiApi, gemini: AgentTerminal):
    api.script("SLOW", Say(["Working on it.\n", "Never said."], hold=asyncio.Event()))
    api.script("AFTER", say(DONE))
    turn = gemini.begin("SLOW line one\nSLOW line two")
    await api.until_asked("SLOW")
    await gemini.driver.interrupt("cancel")
    ended = await turn
    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, True)
    assert (await gemini.prompt("AFTER that")).marker


async def test_a_turn_goes_on_after_a_restart_of_the_client(api: GeminiApi, gemini: AgentTerminal):
    hold = asyncio.Event()
    api.script("RESTART", Say(["Working on it.\n\n", DONE], hold=hold))
    turn = gemini.begin("RESTART please")
    await api.until_asked("RESTART")
    turn = await gemini.restart_client("RESTART please", turn)
    hold.set()
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)


async def test_an_error_of_the_api_ends_the_turn(api: GeminiApi, gemini: AgentTerminal):
    api.script("FAILS", Fail(400, "INVALID_ARGUMENT"))
    ended = await gemini.prompt("FAILS please")
    assert (ended.outcome, ended.marker) == (TurnOutcome.ERROR, False)
