"""The real Codex against a Responses API on loopback: how each kind of turn ends, and how that is known."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from remote_client.agents.adapter import TurnEnd
from remote_client.agents.further_agents import CODEX
from remote_client.agents.screen_agent import ScreenAdapter
from remote_client.agents.screen_driver import ScreenDriver
from remote_client.policy import AgentRule
from remote_client.terminals import SESSION_TAG
from shared.states import SessionStatus, TurnOutcome
from tests.support.agent_terminal import AgentTerminal, Workplace
from tests.support.codex_cli import CodexHome, codex_program
from tests.support.messages_api import Fail, Say, Use, say
from tests.support.responses_api import ResponsesApi

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

DONE = "[SEMO:DONE]"


def adapter(**rule: object) -> ScreenAdapter:
    return ScreenAdapter(CODEX, "codex", AgentRule.model_validate({"command": [str(codex_program())], **rule}))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[ResponsesApi]:
    async with ResponsesApi.serving() as serving:
        yield serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workplace() -> AsyncIterator[Workplace]:
    made = Workplace.make()
    (made.repository / ".claude").mkdir()
    (made.repository / ".claude" / "CLAUDE.md").write_text("You are the persona of this test.\n")
    yield made
    made.remove()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(api: ResponsesApi, workplace: Workplace) -> CodexHome:
    return CodexHome.make(workplace.home, api.url, [workplace.repository])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def codex(workplace: Workplace, home: CodexHome) -> AsyncIterator[AgentTerminal]:
    """One session for all tests that leave it as they found it."""
    async with AgentTerminal.running(adapter(), workplace, home.environment) as terminal:
        yield terminal


def kinds(ended: TurnEnd) -> set[str]:
    return {one["kind"] for one in ended.evidence}


async def test_a_prompt_is_done_when_the_agent_itself_says_so(api: ResponsesApi, codex: AgentTerminal):
    api.script("PLAIN", say("All ", f"good.\n{DONE}"))
    before = codex.confirmed
    ended = await codex.prompt("PLAIN please")
    assert (ended.outcome, ended.marker, ended.alive) == (TurnOutcome.DONE, True, True)
    assert kinds(ended) >= {"hook", "marker", "agent_session"}
    assert codex.confirmed == before + 1


async def test_the_persona_reaches_the_model(api: ResponsesApi, codex: AgentTerminal):
    api.script("PERSONA", say(DONE))
    await codex.prompt("PERSONA?")
    assert "You are the persona of this test." in str(api.asked("PERSONA")[-1]["input"])


async def test_a_turn_without_the_marker_is_done_and_says_so(api: ResponsesApi, codex: AgentTerminal):
    api.script("QUOTED", say("I will not say it."))
    ended = await codex.prompt(f"QUOTED: end with\n{DONE}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)


async def test_a_permission_request_names_the_exact_action_and_is_allowed_remotely(
    api: ResponsesApi, codex: AgentTerminal, workplace: Workplace
):
    made = workplace.place / "made.txt"
    api.script("OUTSIDE", _escalated(f"touch {made}"), say(DONE))
    since = len(codex.moves)
    turn = codex.begin("OUTSIDE please")
    asked = await codex.until_moved("needs_permission", since)
    assert asked["input"]["command"] == f"touch {made}"
    assert not made.exists()
    assert isinstance(codex.driver, ScreenDriver)
    await codex.driver.answer(asked["number"], allow=True)
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    assert [status for status, _ in codex.moves[since:]] == [SessionStatus.NEEDS_PERMISSION, SessionStatus.EXECUTING]
    assert made.exists()
    assert [(use.what, use.over) for use in codex.uses] == [(f"touch {made}", False), (f"touch {made}", True)]


async def test_a_permission_request_that_is_denied_tells_the_agent_why(
    api: ResponsesApi, codex: AgentTerminal, workplace: Workplace
):
    denied = workplace.place / "denied.txt"
    api.script("DENIED", _escalated(f"touch {denied}"), say("Then not."))
    since = len(codex.moves)
    turn = codex.begin("DENIED please")
    asked = await codex.until_moved("needs_permission", since)
    assert isinstance(codex.driver, ScreenDriver)
    await codex.driver.answer(asked["number"], allow=False, message="not on a Friday")
    assert (await turn).outcome is TurnOutcome.DONE
    assert not denied.exists()
    assert "not on a Friday" in str(api.asked("DENIED")[-1]["input"][-3:])


async def test_a_person_at_the_terminal_gets_the_request_as_a_dialog(
    api: ResponsesApi, codex: AgentTerminal, workplace: Workplace
):
    made = workplace.place / "by-hand.txt"
    api.script("BYHAND", _escalated(f"touch {made}"), say(DONE))
    since, shown = len(codex.moves), len(codex.output)
    turn = codex.begin("BYHAND please")
    await codex.until_moved("needs_permission", since)
    await codex.press(b" ")
    await codex.until_shown("Press enter to confirm", shown)
    await codex.press(b"y")
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    assert made.exists()


async def test_an_interrupt_stops_the_turn_and_the_next_one_is_whole(api: ResponsesApi, codex: AgentTerminal):
    api.script("SLOW", Say(["Working on it.\n"], hold=asyncio.Event()))
    api.script("AFTER", say(DONE))
    turn = codex.begin("SLOW line one\nSLOW line two")
    await api.until_asked("SLOW")
    await codex.driver.interrupt("cancel")
    ended = await turn
    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, True)
    assert {"kind": "signal", "keys": "escape", "reason": "cancel"}.items() <= ended.evidence[0].items()
    assert (await codex.prompt("AFTER that")).marker
    assert "SLOW" not in str(api.asked("AFTER")[-1]["input"][-1])


async def test_a_turn_that_a_person_interrupts_is_interrupted(api: ResponsesApi, codex: AgentTerminal):
    api.script("ESCAPED", Say(["Working on it.\n"], hold=asyncio.Event()))
    turn = codex.begin("ESCAPED please")
    await api.until_asked("ESCAPED")
    await codex.press(b"\x1b")
    ended = await turn
    assert ended.outcome is TurnOutcome.INTERRUPTED
    assert "Interrupt" in [one.get("name") for one in ended.evidence]


async def test_a_turn_goes_on_after_a_restart_of_the_client(api: ResponsesApi, codex: AgentTerminal):
    hold = asyncio.Event()
    api.script("RESTART", Say(["Working on it.\n", DONE], hold=hold))
    turn = codex.begin("RESTART please")
    await api.until_asked("RESTART")
    turn = await codex.restart_client("RESTART please", turn)
    hold.set()
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    assert len(api.asked("RESTART")) == 1


@pytest.mark.parametrize(("status", "kind"), [(401, "invalid_api_key"), (429, "rate_limit"), (500, "server_error")])
async def test_an_error_of_the_api_ends_the_turn(api: ResponsesApi, codex: AgentTerminal, status: int, kind: str):
    api.script(f"FAIL{status}", Fail(status, kind))
    ended = await codex.prompt(f"FAIL{status}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.ERROR, False)


async def test_a_long_prompt_arrives_whole_and_runs_no_command(api: ResponsesApi, codex: AgentTerminal):
    api.script("LONG", say(DONE))
    text = "!LONG\n" + "\n".join(f"line {number} of a long prompt, ünïcode and all" for number in range(1500))
    ended = await codex.prompt(text)
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    assert str(api.asked("LONG")[-1]["input"][-1]).count("ünïcode and all") == 1500


async def test_a_conversation_goes_on_where_it_was_and_a_killed_agent_is_told(
    api: ResponsesApi, workplace: Workplace, home: CodexHome
):
    api.script("FIRST", say(f"The word is heron. {DONE}"))
    async with AgentTerminal.running(adapter(), workplace, home.environment) as terminal:
        ended = await terminal.prompt("FIRST")
    [conversation] = [one for one in ended.evidence if one["kind"] == "agent_session"]
    api.script("SECOND", say(DONE))
    api.script("KILLED", Say(["Working on it.\n"], hold=asyncio.Event()))
    resumed = AgentTerminal.running(adapter(), workplace, home.environment, resume=conversation["session_id"])
    async with resumed as again:
        assert (await again.prompt("SECOND")).marker
        assert "The word is heron." in str(api.asked("SECOND")[-1]["input"])
        turn = again.begin("KILLED")
        await api.until_asked("KILLED")
        os.kill(await again.pid(), signal.SIGKILL)
        ended = await turn
        assert (ended.outcome, ended.alive) == (TurnOutcome.ERROR, False)
        assert "exit" in kinds(ended)


async def test_what_codex_leaves_in_the_background_ends_with_the_session(workplace: Workplace, home: CodexHome):
    """By itself it leaves two daemons behind; they are made here by the command that our arguments avoid."""
    script = f"{codex_program()} app-server daemon start >/dev/null; echo started; exec sleep 60"
    with_daemons = ScreenAdapter(CODEX, "codex", AgentRule(command=["/bin/sh", "-c", script]))
    async with AgentTerminal.running(with_daemons, workplace, home.environment, ready=False) as terminal:
        tag = str(terminal.session_id)
        await terminal.until_shown("started")
        assert any("app-server" in process.cmdline() for process in _tagged(tag))
    assert _tagged(tag) == []


def _escalated(command: str) -> Use:
    return Use("exec_command", {"cmd": command, "sandbox_permissions": "require_escalated", "justification": "test"})


def _tagged(tag: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(SESSION_TAG) == tag:
                found.append(process)
        except psutil.Error:
            continue
    return found
