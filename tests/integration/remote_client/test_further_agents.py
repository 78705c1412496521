"""aider and opencode, played by scripts in real terminals; and agents whose looks or signals are not known."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from remote_client.agents.further_agents import AIDER, CODEX, OPENCODE
from remote_client.agents.screen_agent import ScreenAdapter
from remote_client.agents.screen_driver import ScreenDriver
from remote_client.policy import AgentRule
from shared.errors import Conflict, SessionFailed
from shared.states import SessionStatus, TurnOutcome
from tests.integration.remote_client.office import Machine, Office
from tests.support.agent_terminal import AgentTerminal, Workplace

SUPPORT = Path(__file__).parents[2] / "support"
DONE = "[SEMO:DONE]"
Make = Callable[..., Awaitable[Machine]]


@pytest_asyncio.fixture(loop_scope="session")
async def workplace() -> AsyncIterator[Workplace]:
    made = Workplace.make()
    yield made
    made.remove()


@pytest_asyncio.fixture(loop_scope="session")
async def aider(workplace: Workplace) -> AsyncIterator[AgentTerminal]:
    rule = AgentRule(command=[sys.executable, str(SUPPORT / "fake_aider.py")])
    async with AgentTerminal.running(ScreenAdapter(AIDER, "aider", rule), workplace, {}) as terminal:
        yield terminal


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no node to play opencode")
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def opencode(workplace: Workplace, node: str) -> AsyncIterator[AgentTerminal]:
    rule = AgentRule(command=[node, str(SUPPORT / "fake_opencode.mjs")])
    async with AgentTerminal.running(ScreenAdapter(OPENCODE, "opencode", rule), workplace, {}) as terminal:
        yield terminal


async def test_aider_is_done_when_it_says_the_marker_and_waits_when_it_says_nothing(aider: AgentTerminal):
    ended = await aider.prompt("SAYS it\nin two lines")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    ended = await aider.prompt(f"tell me, and end with {DONE}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.WAITING_INPUT, False)
    assert aider.confirmed == 0  # nothing of it says that a prompt arrived


async def test_a_marker_that_aider_paints_and_does_not_write_down_is_not_said(aider: AgentTerminal):
    ended = await aider.prompt(f"FORGETS {DONE}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.WAITING_INPUT, False)


async def test_an_error_of_the_api_ends_a_turn_of_aider(aider: AgentTerminal):
    ended = await aider.prompt("FAILS")
    assert (ended.outcome, ended.marker) == (TurnOutcome.ERROR, False)


async def test_aider_is_interrupted_and_takes_the_next_prompt(aider: AgentTerminal):
    turn = aider.begin("SLOW please")
    await aider.until_shown("Thinking")
    await aider.driver.interrupt("cancel")
    assert (await turn).outcome is TurnOutcome.INTERRUPTED
    assert (await aider.prompt("SAYS it")).marker


async def test_what_a_person_left_in_aiders_input_is_not_part_of_the_next_prompt(aider: AgentTerminal):
    await aider.press(b"FAILS and more")
    await aider.until_shown("FAILS and more")
    assert (await aider.prompt("SAYS it")).marker


async def test_a_question_of_aider_does_not_end_its_turn(aider: AgentTerminal):
    turn = aider.begin("ASKS first")
    await aider.until_shown("(Y)es/(N)o")
    await asyncio.wait({turn}, timeout=1)
    assert not turn.done()
    await aider.press(b"y")
    assert (await turn).outcome is TurnOutcome.DONE


async def test_opencode_tells_its_turns_by_its_plugin(opencode: AgentTerminal):
    ended = await opencode.prompt("SAYS it")
    assert (ended.outcome, ended.marker, opencode.confirmed) == (TurnOutcome.DONE, True, 1)
    ended = await opencode.prompt(f"tell me, and end with {DONE}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)
    assert ended.evidence[-1] == {"kind": "agent_session", "session_id": "ses_1"}
    ended = await opencode.prompt("FAILS")
    assert (ended.outcome, ended.marker) == (TurnOutcome.ERROR, False)


async def test_a_late_word_of_opencode_about_the_turn_before_does_not_end_the_next_one(opencode: AgentTerminal):
    assert (await opencode.prompt("SAYS it")).marker
    ended = await opencode.prompt("LATE")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)


async def test_opencode_is_interrupted_by_two_escapes_whatever_it_paints_again(opencode: AgentTerminal):
    assert (await opencode.prompt("SAYS it")).marker
    turn = opencode.begin("SLOW please")
    await opencode.until_shown("SLOW please")
    await opencode.driver.interrupt("cancel")
    ended = await turn
    assert (ended.outcome, ended.marker, ended.alive) == (TurnOutcome.INTERRUPTED, False, True)
    assert "Interrupt" in [one.get("name") for one in ended.evidence]
    assert (await opencode.prompt("SAYS it")).marker


@pytest.mark.parametrize("who", ["TOUCHES", "DELEGATES"])
async def test_a_permission_request_of_opencode_or_its_sub_agent_is_allowed_remotely(opencode: AgentTerminal, who: str):
    turn = opencode.begin(f"{who} and SAYS it")
    asked = await opencode.until_moved("needs_permission", 0)
    assert (asked["tool"], asked["input"]["command"]) == ("bash", "touch made.txt")
    await _answer(opencode, asked["number"], allow=True)
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    assert [status for status, _ in opencode.moves] == [SessionStatus.NEEDS_PERMISSION, SessionStatus.EXECUTING]


async def test_a_sub_agent_of_opencode_that_is_done_is_not_opencode_being_done(opencode: AgentTerminal):
    turn = opencode.begin("DELEGATES")
    asked = await opencode.until_moved("needs_permission", 0)
    await _answer(opencode, asked["number"], allow=True)
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)
    assert ended.evidence[-1] == {"kind": "agent_session", "session_id": "ses_1"}


async def test_a_permission_that_opencode_is_denied_ends_its_turn_as_interrupted(opencode: AgentTerminal):
    turn = opencode.begin("TOUCHES and SAYS it")
    asked = await opencode.until_moved("needs_permission", 0)
    await _answer(opencode, asked["number"], allow=False)
    assert (await turn).outcome is TurnOutcome.INTERRUPTED


async def test_a_person_at_the_terminal_answers_opencode_itself(opencode: AgentTerminal):
    turn = opencode.begin("TOUCHES and SAYS it")
    asked = await opencode.until_moved("needs_permission", 0)
    await opencode.press(b"\r")
    assert (await turn).marker
    with pytest.raises(Conflict, match="waits no longer"):
        await _answer(opencode, asked["number"], allow=True)


async def test_a_turn_goes_on_after_a_restart_of_the_client(aider: AgentTerminal, opencode: AgentTerminal):
    for agent, text, shown, key in ((aider, "ASKS", "(Y)es", b"y"), (opencode, "TOUCHES, SAYS", "△ Permission", b"\r")):
        turn = agent.begin(text)
        await agent.until_shown(shown)
        turn = await agent.restart_client(text, turn)
        await agent.press(key)
        ended = await turn
        assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
        assert (await agent.prompt("SAYS it")).marker


async def test_an_opencode_that_tells_nothing_takes_no_prompt(workplace: Workplace, node: str):
    deaf = ScreenAdapter(OPENCODE, "opencode", AgentRule(command=[node, str(SUPPORT / "fake_opencode.mjs"), "--deaf"]))
    async with AgentTerminal.running(deaf, workplace, {}, ready=False) as terminal:
        await terminal.until_shown("ctrl+p")
        with pytest.raises(SessionFailed, match="opencode takes no prompt"):
            await terminal.driver.until_ready(1.0)


async def test_an_agent_that_looks_like_nothing_known_takes_no_prompt(workplace: Workplace):
    program = AgentRule(command=["/bin/sh", "-c", "echo A whole new interface; exec sleep 60"])
    async with AgentTerminal.running(ScreenAdapter(CODEX, "codex", program), workplace, {}, ready=False) as terminal:
        with pytest.raises(SessionFailed, match="A whole new interface"):
            await terminal.driver.until_ready(1.0)


async def test_an_agent_whose_signals_are_silent_is_never_called_done(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("remote_client.agents.screen_driver.CONFIRM_PATIENCE_SECONDS", 3.0)
    play = r"printf '\033]0;repo\007\n› \n'; read -r line; printf '\033]0;⠋ repo\007• All good. %s\n› \n' '[SEMO:DONE]'"
    program = AgentRule(command=["/bin/sh", "-c", rf"{play}; printf '\033]0;repo\007'; exec sleep 60"])
    async with AgentTerminal.running(ScreenAdapter(CODEX, "codex", program), workplace, {}) as terminal:
        ended = await terminal.prompt("please")
        assert ended.outcome is TurnOutcome.LOST
        assert {"kind": "typed", "confirmed": False}.items() <= ended.evidence[0].items()


async def _answer(terminal: AgentTerminal, number: int, *, allow: bool) -> None:
    assert isinstance(terminal.driver, ScreenDriver)
    await terminal.driver.answer(number, allow)


async def test_what_opencode_asks_leave_for_is_a_row_that_is_answered_from_outside(
    office: Office, machine: Make, node: str
):
    """Approved it does exactly that; denied, its turn ends, and the office says so."""
    one = await machine()
    with (one.folder / "policy.toml").open("a") as policy:
        policy.write("[agents.opencode]\nmemory_mb = 60\n")
        policy.write(f"command = {json.dumps([node, str(SUPPORT / 'fake_opencode.mjs')])}\n")
    await one.start()
    session = await office.session(agent="opencode", task="asks")
    for status, outcome in (("approved", "done"), ("denied", "interrupted")):
        command = await office.ask("send_prompt", {"text": "TOUCHES and SAYS it"}, session_id=session)
        [row] = await office.until_true("select * from approvals where status = 'pending' and command_id = %s", command)
        assert (row["tool"], row["input"]["command"]) == ("bash", "touch made.txt")
        assert row["cwd"].endswith("/BE/asks")
        await office.until_true("select 1 from agent_sessions where id = %s and status = 'needs_permission'", session)
        await office.sql("select answer_approval(%s, %s, 'no', %s, 'token:t')", row["id"], status, row["digest"])
        answer = await office.until(command)
        assert answer.result["outcome"] == outcome, answer
        assert [one["says"] for one in answer.result["evidence"] if one["kind"] == "approval"] == [status]
        [row] = await office.sql("select * from approvals where id = %s", row["id"])
        assert (row["status"], row["delivered_at"] is not None) == (status, True)
