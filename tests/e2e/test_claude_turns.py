"""The real Claude Code against a Messages API on loopback: how each kind of turn ends, and how that is known."""

import asyncio
import os
from collections.abc import AsyncIterator

import git
import pytest
import pytest_asyncio

from remote_client.agents.adapter import TurnEnd
from remote_client.agents.claude_driver import ClaudeDriver
from remote_client.agents.claude_input import LINES_AT_MOST
from remote_client.monitor.office_patterns import patterns_of
from shared.states import SessionStatus, TurnOutcome
from tests.support.claude_terminal import ClaudeTerminal
from tests.support.messages_api import Fail, MessagesApi, Say, Use, say

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

DONE = "[SEMO:DONE]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[MessagesApi]:
    async with MessagesApi.serving() as serving:
        yield serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def claude(api: MessagesApi) -> AsyncIterator[ClaudeTerminal]:
    """One session for all tests that leave it as they found it."""
    async with ClaudeTerminal.running(api.url) as terminal:
        yield terminal


def kinds(ended: TurnEnd) -> set[str]:
    return {one["kind"] for one in ended.evidence}


async def test_a_prompt_is_done_when_the_agent_itself_says_so(api: MessagesApi, claude: ClaudeTerminal):
    api.script("PLAIN", say("All ", f"good.\n{DONE}"))
    before = claude.confirmed
    ended = await claude.prompt("PLAIN please")
    assert (ended.outcome, ended.marker, ended.alive) == (TurnOutcome.DONE, True, True)
    assert kinds(ended) >= {"hook", "marker", "cost", "agent_session"}
    assert claude.confirmed == before + 1
    assert len(api.asked("PLAIN")) == 1


async def test_the_cost_of_each_turn_is_what_the_agent_itself_counts(api: MessagesApi, claude: ClaudeTerminal):
    api.script("COSTLY", say(DONE))
    first, second = await claude.prompt("COSTLY one"), await claude.prompt("COSTLY two")
    assert first.cost_usd is not None
    assert first.cost_usd > 0
    assert second.cost_usd == pytest.approx(first.cost_usd)
    [conversation] = [one for one in second.evidence if one["kind"] == "agent_session"]
    assert conversation["usage"]["input_tokens"] == 1000
    [counted] = [one for one in second.evidence if one["kind"] == "cost"]
    assert counted["source"] == "statusline"


async def test_a_turn_without_the_marker_is_done_and_says_so(api: MessagesApi, claude: ClaudeTerminal):
    api.script("UNMARKED", say("I think that is all."))
    ended = await claude.prompt("UNMARKED please")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)


async def test_a_marker_that_only_the_prompt_quotes_is_not_said(api: MessagesApi, claude: ClaudeTerminal):
    api.script("QUOTED", say("I will not say it."))
    ended = await claude.prompt(f"QUOTED: end with {DONE}\n{DONE}\nwhen done")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)


async def test_what_an_office_looks_for_is_in_the_evidence_and_ends_no_turn_as_done(api: MessagesApi):
    patterns = patterns_of("acme", [{"name": "needs_review", "kind": "marker", "literal": "[ACME:REVIEW]"}])
    api.script("REVIEWED", say("Please look.\n[ACME:REVIEW]"))
    async with ClaudeTerminal.running(api.url, patterns=patterns) as claude:
        ended = await claude.prompt("REVIEWED please")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)
    assert [one["name"] for one in ended.evidence if one["kind"] == "marker"] == ["needs_review"]


async def test_a_marker_in_what_a_tool_printed_is_not_said(api: MessagesApi, claude: ClaudeTerminal):
    (claude.folder / "notes.txt").write_text(f"{DONE}\n")
    api.script("CAT", Use("Read", {"file_path": str(claude.folder / "notes.txt")}), say("It holds a line."))
    ended = await claude.prompt("CAT the notes")
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, False)


async def test_a_permission_request_names_the_exact_action_and_is_allowed_remotely(
    api: MessagesApi, claude: ClaudeTerminal
):
    command = "touch made.txt && git add made.txt && git commit -qm Made"
    api.script("COMMIT", Use("Bash", {"command": command, "description": "Commit"}), say(f"Committed. {DONE}"))
    since = len(claude.moves)
    turn = claude.begin("COMMIT it")
    asked = await claude.until_moved("needs_permission", since)
    assert asked["tool"] == "Bash"
    assert asked["input"]["command"] == command
    assert isinstance(claude.driver, ClaudeDriver)
    await claude.driver.answer(asked["number"], allow=True)
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
    assert [move[0] for move in claude.moves[since:]] == [SessionStatus.NEEDS_PERMISSION, SessionStatus.EXECUTING]
    assert [commit.message for commit in git.Repo(claude.folder).iter_commits()] == ["Made\n"]


async def test_a_permission_request_that_is_denied_tells_the_agent_why(api: MessagesApi, claude: ClaudeTerminal):
    api.script("DENIED", Use("Bash", {"command": "touch denied.txt", "description": "x"}), say("Then not."))
    since = len(claude.moves)
    turn = claude.begin("DENIED")
    asked = await claude.until_moved("needs_permission", since)
    assert isinstance(claude.driver, ClaudeDriver)
    await claude.driver.answer(asked["number"], allow=False, message="not on a Friday")
    assert (await turn).outcome is TurnOutcome.DONE
    assert not (claude.folder / "denied.txt").exists()
    assert "not on a Friday" in str(api.asked("DENIED")[-1]["messages"][-1])


async def test_a_permission_request_is_answered_by_keys_as_well(api: MessagesApi, claude: ClaudeTerminal):
    api.script("KEYED", Use("Bash", {"command": "touch keyed.txt", "description": "x"}), say(DONE))
    since, shown = len(claude.moves), len(claude.output)
    turn = claude.begin("KEYED")
    await claude.until_moved("needs_permission", since)
    await claude.until_shown("Do you want to proceed?", shown)
    await claude.choose(b"1")
    assert (await turn).marker
    assert (claude.folder / "keyed.txt").exists()


async def test_a_key_too_many_for_a_dialog_is_no_part_of_the_next_prompt(api: MessagesApi, claude: ClaudeTerminal):
    """The dialog takes the first one. Its request still waits when the second one falls into the input."""
    api.script("KEYEDTWICE", Use("Bash", {"command": "touch twice.txt", "description": "x"}), say(DONE))
    api.script("CLEAN", say(DONE))
    since, shown = len(claude.moves), len(claude.output)
    turn = claude.begin("KEYEDTWICE")
    await claude.until_moved("needs_permission", since)
    await claude.until_shown("Do you want to proceed?", shown)
    await claude.choose(b"1", b"z")
    assert (await turn).marker
    assert (await claude.prompt("CLEAN prompt")).marker
    assert api.asked("CLEAN"), api.requests[-1]["messages"][-1]


@pytest.mark.parametrize("lines", [3, 60, LINES_AT_MOST])
async def test_a_text_of_many_lines_reaches_the_agent_as_its_users_own_words(
    lines: int, api: MessagesApi, claude: ClaudeTerminal
):
    """Not as something pasted, of which the agent tells its model that the user may not have written it."""
    word = api.script(f"LINES{lines}", say(DONE))
    text = "\n".join(
        [f"{word} for @README.md", "", "\tx" * 1000, *(f"/{line} #{line}\\" for line in range(lines - 4)), "end:"]
    )
    ended = await claude.prompt(text)
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
    assert "other_words" not in kinds(ended)
    [block] = [one for one in api.asked(word)[-1]["messages"][-1]["content"] if word in one["text"]]
    assert block["text"] == text.replace("\t", "    ")


@pytest.mark.parametrize("lines", [1, LINES_AT_MOST])
async def test_the_name_of_a_picture_on_a_line_of_its_own_stays_a_name(
    lines: int, api: MessagesApi, claude: ClaudeTerminal
):
    """Pasted whole, the agent would read the file unasked and send the picture instead."""
    word = api.script(f"PICTURE{lines}", say(DONE))
    picture = claude.folder / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    before = "\n".join(f"line {number}" for number in range(lines))
    ended = await claude.prompt(f"{word}:\n{before}\n'{picture}'\nis what to look at")
    assert "other_words" not in kinds(ended)
    assert str(picture) in str(api.asked(word)[-1]["messages"][-1])


async def test_what_somebody_typed_unseen_before_a_prompt_is_told_with_its_result(
    api: MessagesApi, claude: ClaudeTerminal
):
    api.script("SENT", say(DONE))
    await claude.terminals.write(claude.session_id, b"do not ")
    ended = await claude.prompt("do what I SENT")
    assert ended.evidence[0]["kind"] == "other_words"
    assert ended.evidence[0]["heard"] == "do not do what I SENT"


async def test_an_interrupt_stops_the_turn_and_the_next_one_is_whole(api: MessagesApi, claude: ClaudeTerminal):
    api.script("SLOW", Say(["Working on it.\n"], hold=asyncio.Event()))
    api.script("AFTER", say(DONE))
    turn = claude.begin("SLOW please")
    await api.until_asked("SLOW")
    await claude.driver.interrupt("cancel")
    ended = await turn
    assert ended.outcome is TurnOutcome.INTERRUPTED
    assert ended.alive
    assert {"kind": "signal", "keys": "escape", "reason": "cancel"}.items() <= ended.evidence[0].items()
    assert (await claude.prompt("AFTER that")).marker
    assert str(api.asked("AFTER")[-1]["messages"][-1]).count("SLOW") == 0


async def test_an_interrupt_before_the_first_word_leaves_nothing_in_the_input(api: MessagesApi, claude: ClaudeTerminal):
    api.script("MUTE", Say([""], hold=asyncio.Event()))
    api.script("SPEAKS", say(DONE))
    turn = claude.begin("MUTE line one\nMUTE line two\nMUTE line three")
    await api.until_asked("MUTE")
    await claude.driver.interrupt("cancel")
    assert (await turn).outcome is TurnOutcome.INTERRUPTED
    assert (await claude.prompt("SPEAKS again")).marker
    assert "MUTE line three" not in str(api.asked("SPEAKS")[-1]["messages"][-1])


async def test_a_turn_that_a_person_interrupts_unseen_is_known_by_what_the_agent_writes(
    api: MessagesApi, claude: ClaudeTerminal
):
    api.script("HAND", Say(["It will take long.\n"], hold=asyncio.Event()))
    shown = len(claude.output)
    turn = claude.begin("HAND please")
    await claude.until_shown("It will take long.", shown)
    await claude.terminals.write(claude.session_id, b"\x1b")
    ended = await turn
    assert ended.outcome is TurnOutcome.INTERRUPTED
    assert "transcript" in kinds(ended)


async def test_a_prompt_whose_time_runs_out_is_interrupted(api: MessagesApi, claude: ClaudeTerminal):
    api.script("ENDLESS", Say(["Working on it.\n"], hold=asyncio.Event()))
    ended = await claude.prompt("ENDLESS", seconds=1.5)
    assert ended.outcome is TurnOutcome.INTERRUPTED
    assert ended.evidence[0]["kind"] == "timeout"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication_error"), (429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error")],
)
async def test_an_error_of_the_api_ends_the_turn_with_its_status(
    api: MessagesApi, claude: ClaudeTerminal, status: int, kind: str
):
    api.script(f"FAIL{status}", Fail(status, kind))
    ended = await claude.prompt(f"FAIL{status}")
    assert (ended.outcome, ended.marker) == (TurnOutcome.ERROR, False)
    assert status in [one.get("status") for one in ended.evidence]
    assert {"hook", "transcript"} <= kinds(ended)


async def test_a_turn_that_waits_for_background_work_is_paused_not_done(api: MessagesApi, claude: ClaudeTerminal):
    command = {"command": "read line < fifo; echo over", "description": "Wait", "run_in_background": True}
    os.mkfifo(claude.folder / "fifo")
    api.script("BACKGROUND", Use("Bash", command), say("Waiting for it."), say(f"It is over. {DONE}"))
    since = len(claude.moves)
    turn = claude.begin("BACKGROUND please")
    asked = await claude.until_moved("needs_permission", since)
    assert isinstance(claude.driver, ClaudeDriver)
    await claude.driver.answer(asked["number"], allow=True)
    await claude.until_moved("paused", since)
    assert not turn.done()
    await asyncio.to_thread((claude.folder / "fifo").write_text, "go\n")
    ended = await turn
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended


async def test_a_question_of_the_agent_waits_for_input(api: MessagesApi, claude: ClaudeTerminal):
    options = [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}]
    question = {"question": "Red or blue?", "header": "Colour", "multiSelect": False, "options": options}
    api.script("ASKS", Use("AskUserQuestion", {"questions": [question]}), say(f"Red it is. {DONE}"))
    since, shown = len(claude.moves), len(claude.output)
    turn = claude.begin("ASKS")
    await claude.until_moved("waiting_input", since)
    await claude.until_shown("Enter to select", shown)
    await claude.choose(b"1")
    assert (await turn).marker


@pytest.mark.parametrize("text", ["!touch bang.txt BANG", "\n\u200b!touch bang.txt BANG", "/exit BANG"])
async def test_a_prompt_never_runs_a_command_by_itself(api: MessagesApi, claude: ClaudeTerminal, text: str):
    api.script("BANG", say(DONE))
    ended = await claude.prompt(text)
    assert ended.outcome is TurnOutcome.DONE
    assert not (claude.folder / "bang.txt").exists()


async def test_a_prompt_of_1500_lines_arrives_whole(api: MessagesApi, claude: ClaudeTerminal):
    api.script("LONG", say(DONE))
    text = "LONG\n" + "\n".join(f"line {number} of a long prompt, ünïcode and all" for number in range(1500))
    ended = await claude.prompt(text)
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended
    arrived = str(api.asked("LONG")[-1]["messages"][-1]["content"])
    assert arrived.count("of a long prompt, ünïcode and all") == 1500
