"""How hooks, exit, title, transcript, screen and keys become outcomes, and what each of them can and cannot say."""

from typing import Any

import pytest

from remote_client.monitor.findings import Evidence, Finding, FindingKind
from remote_client.monitor.profile import load_profile
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.terminals import FIRST_BYTE, Chunk, ExitStatus, HookEvent
from shared.ids import ByteOffset
from shared.states import TurnOutcome

IDLE = "\x1b]0;✳ Claude Code\x07"
BUSY = "\x1b]0;⠂ Claude Code\x07"
RULE = "─" * 40
BOX = f"\r\n{RULE}\r\n❯ \r\n{RULE}\r\n  ? for shortcuts"
RESULT = "\x1b[38;5;246m  ⎿  "
SAID = "\x1b[38;5;231m● \x1b[39m"


class Played:
    """A monitor with a clock and a terminal of its own. Everything that it found is in `found`."""

    def __init__(self, agent: str = "claude") -> None:
        self.monitor = TurnMonitor(load_profile(agent), rows=40)
        self.found: list[Finding] = []
        self._now = 100.0
        self._end = FIRST_BYTE
        self._hooks = 0

    def output(self, text: str) -> None:
        chunk = Chunk(self._end, text.encode())
        self._end = chunk.end
        self.found += self.monitor.feed(chunk, self._now)

    def screen(self, *lines: str) -> None:
        """What a full repaint shows."""
        self.output("\x1b[2J\x1b[H" + "\r\n".join(lines) + BOX)

    def types(self, text: str) -> None:
        self.found += self.monitor.typed(text.encode(), self._now)

    def hook(self, name: str, **body: Any) -> None:
        self._hooks += 1
        self.found += self.monitor.hear(HookEvent(self._hooks, ByteOffset(self._end), name, body), self._now)

    def learns(self, **evidence: Any) -> None:
        told: Evidence = evidence
        self.found += self.monitor.learned(told, self._now)

    def exits(self, exit_status: ExitStatus | None) -> None:
        self.found += self.monitor.exited(exit_status, self._now)

    def passes(self, seconds: float) -> None:
        until = self._now + seconds
        while (deadline := self.monitor.deadline) is not None and deadline <= until:
            self._now = max(deadline, self._now)
            self.found += self.monitor.tick(self._now)
        self._now = until

    def takes(self, prompt: str) -> None:
        """The agent is there, a prompt is typed, and it begins to work."""
        self.output(IDLE)
        self.types(prompt)
        self.types("\r")
        self.output(BUSY)
        self.screen(f"❯ {prompt}")

    @property
    def kinds(self) -> list[FindingKind]:
        return [one.kind for one in self.found if one.kind is not FindingKind.TITLE]

    @property
    def ends(self) -> list[Finding]:
        return [one for one in self.found if one.kind is FindingKind.TURN_ENDED]

    @property
    def outcomes(self) -> list[tuple[TurnOutcome | None, bool | None]]:
        return [(one.outcome, one.marker) for one in self.ends]


@pytest.fixture
def played() -> Played:
    return Played()


# Hooks first -------------------------------------------------------------------------------------------------------


def test_the_agents_own_hook_ends_a_turn_at_once(played: Played) -> None:
    played.takes("do it")
    played.hook("UserPromptSubmit", prompt="do it")
    played.hook("Stop", last_assistant_message="Done.\n\n[SEMO:DONE]", background_tasks=[])

    assert played.outcomes == [(TurnOutcome.DONE, True)]
    assert {"hook", "title", "marker"} <= {one["kind"] for one in played.ends[0].evidence}


@pytest.mark.parametrize("title_first", [True, False])
def test_what_the_title_says_is_evidence_whether_it_or_a_hook_comes_first(played: Played, title_first: bool) -> None:
    played.output(IDLE)
    played.types("do it")
    played.types("\r")
    for begins in (True, False) if title_first else (False, True):
        if begins:
            played.output(BUSY)
        else:
            played.hook("UserPromptSubmit", prompt="do it")
    played.hook("Notification", notification_type="idle_prompt")
    played.output(IDLE)
    played.hook("Stop", last_assistant_message="Done.", background_tasks=[])

    said = [one["says"] for one in played.ends[0].evidence if one["kind"] == "title"]
    assert said == ["busy", "idle"]


def test_the_marker_counts_in_the_agents_last_message_and_nowhere_else(played: Played) -> None:
    played.takes("print [SEMO:DONE] when done")
    played.hook("UserPromptSubmit", prompt="print [SEMO:DONE] when done")
    played.screen("❯ print [SEMO:DONE] when done", "", f"{SAID}Bash(cat x)", f"{RESULT}[SEMO:DONE]")
    played.hook("Stop", last_assistant_message="I read it.")

    assert played.outcomes == [(TurnOutcome.DONE, False)]


def test_a_hook_that_says_failed_is_an_error_with_its_kind(played: Played) -> None:
    played.takes("do it")
    played.hook("StopFailure", error="rate_limit", last_assistant_message="API Error: 429")

    assert played.outcomes == [(TurnOutcome.ERROR, False)]
    error = next(one for one in played.found if one.kind is FindingKind.ERROR)
    assert error.detail["error"] == "rate_limit"


def test_background_work_is_a_pause_and_not_done(played: Played) -> None:
    played.takes("start the server")
    played.hook("Stop", last_assistant_message="Runs. [SEMO:DONE]", background_tasks=[{"id": "b1", "type": "shell"}])
    played.output(IDLE)
    played.screen("❯ start the server", "", f"{SAID}Runs. [SEMO:DONE]")
    played.passes(60)
    assert played.outcomes == []
    assert played.monitor.turn_runs

    played.output(BUSY)
    played.hook("Stop", last_assistant_message="It ended. [SEMO:DONE]", background_tasks=[])
    assert played.kinds[-4:] == [FindingKind.PAUSED, FindingKind.GOES_ON, FindingKind.MARKER, FindingKind.TURN_ENDED]
    assert played.outcomes == [(TurnOutcome.DONE, True)]


def test_a_permission_request_tells_the_exact_action_once_and_the_turn_goes_on(played: Played) -> None:
    played.takes("commit")
    played.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "git commit -m x"})
    played.hook("Notification", notification_type="permission_prompt", message="Claude needs your permission")
    played.output(BUSY)
    played.hook("Stop", last_assistant_message="[SEMO:DONE]")

    asked = [one for one in played.found if one.kind is FindingKind.NEEDS_PERMISSION]
    assert [one.detail["input"] for one in asked] == [{"command": "git commit -m x"}]
    assert FindingKind.GOES_ON in played.kinds
    assert played.outcomes == [(TurnOutcome.DONE, True)]


def test_a_question_of_the_agent_is_no_question_about_permission(played: Played) -> None:
    played.takes("choose")
    played.hook("PermissionRequest", tool_name="AskUserQuestion", tool_input={"questions": []})

    assert played.kinds[-1] is FindingKind.WAITING_INPUT


def test_an_interrupt_has_no_hook_and_is_told_by_the_screen(played: Played) -> None:
    played.takes("do it")
    played.hook("UserPromptSubmit", prompt="do it")
    played.types("\x1b")
    played.output(IDLE)
    played.screen("❯ do it", "", f"{SAID}I be", f"{RESULT}Interrupted · What should Claude do instead?")
    played.passes(1)

    assert played.outcomes == [(TurnOutcome.INTERRUPTED, False)]
    assert FindingKind.INTERRUPTED in played.kinds


def test_the_transcript_tells_of_an_interrupt_that_the_screen_does_not_show(played: Played) -> None:
    played.takes("do it")
    played.learns(kind="transcript", says="interrupted")

    assert played.outcomes == [(TurnOutcome.INTERRUPTED, False)]


def test_a_hook_that_never_comes_is_waited_for_and_then_the_screen_is_believed(played: Played) -> None:
    played.takes("do it")
    played.hook("UserPromptSubmit", prompt="do it")
    played.output(IDLE)
    played.screen("❯ do it", "", f"{SAID}Done.")
    played.passes(1)
    assert played.outcomes == []

    played.passes(5)
    assert played.outcomes == [(TurnOutcome.DONE, False)]
    assert "screen" in {one["kind"] for one in played.ends[0].evidence}


def test_a_hook_after_the_end_of_a_turn_begins_nothing(played: Played) -> None:
    played.takes("do it")
    played.hook("Stop", last_assistant_message="ok")
    played.output("\x1b]0;⠐ Claude Code\x07" + IDLE)  # the title is a moment late
    played.hook("Stop", last_assistant_message="ok")
    played.passes(10)

    assert played.kinds.count(FindingKind.TURN_STARTED) == len(played.ends) == 1


def test_two_turns_in_one_session_are_two_verdicts(played: Played) -> None:
    for prompt, message in (("one", "[SEMO:DONE]"), ("two", "forgot it")):
        played.takes(prompt)
        played.hook("UserPromptSubmit", prompt=prompt)
        played.hook("Stop", last_assistant_message=message)

    assert played.outcomes == [(TurnOutcome.DONE, True), (TurnOutcome.DONE, False)]


# The end of the program --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_status", "outcome"),
    [
        (ExitStatus(None, 9), TurnOutcome.ERROR),
        (ExitStatus(143, None), TurnOutcome.ERROR),
        (ExitStatus(0, None), TurnOutcome.ERROR),
        (None, TurnOutcome.LOST),
    ],
)
def test_a_program_that_ends_in_the_middle_of_a_turn_did_not_finish_it(
    played: Played, exit_status: ExitStatus | None, outcome: TurnOutcome
) -> None:
    played.takes("do it")
    played.exits(exit_status)

    assert played.outcomes == [(outcome, False)]
    assert played.ends[0].evidence[-1]["kind"] == "exit"


def test_a_program_that_ends_right_after_its_turn_has_finished_it(played: Played) -> None:
    played.takes("do it")
    played.output(IDLE)
    played.screen("❯ do it", "", f"{SAID}All done.", "", "  [SEMO:DONE]")
    played.exits(ExitStatus(0, None))

    assert played.outcomes == [(TurnOutcome.DONE, True)]


def test_the_marker_of_an_earlier_turn_is_not_said_again_by_a_turn_that_dies_at_once(played: Played) -> None:
    played.takes("one")
    played.output(IDLE)
    played.screen("❯ one", "", f"{SAID}Done. [SEMO:DONE]")
    played.passes(1)
    played.types("two\r")
    played.output(BUSY)
    played.exits(ExitStatus(None, 9))

    assert played.outcomes == [(TurnOutcome.DONE, True), (TurnOutcome.ERROR, False)]


# Title and screen --------------------------------------------------------------------------------------------------


def test_a_title_alone_is_no_success(played: Played) -> None:
    played.takes("do it")
    played.output(IDLE)
    played.screen("❯ do it", "", "◆ words in a new dress")
    played.passes(60)

    assert played.outcomes == [(TurnOutcome.WAITING_INPUT, False)]


def test_a_dialog_that_is_denied_ends_the_turn_without_a_title(played: Played) -> None:
    played.takes("commit")
    played.output(IDLE)
    dialog = [RULE, " Bash command", "   git commit", " Do you want to proceed?", " ❯ 1. Yes", "   2. No"]
    played.output("\x1b[2J\x1b[H" + "\r\n".join(["❯ commit", "", f"{SAID}I will commit.", *dialog]))
    played.passes(1)
    asked = next(one for one in played.found if one.kind is FindingKind.NEEDS_PERMISSION)
    assert asked.detail["choices"] == ["Yes", "No"]

    played.types("\x1b")
    played.screen("❯ commit", "", f"{SAID}I will commit.", "", f"{RESULT}Interrupted")
    played.passes(1)
    assert played.outcomes == [(TurnOutcome.INTERRUPTED, False)]


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("\x1b[38;5;220m● API Error: 529 overloaded", TurnOutcome.ERROR),
        ("\x1b[38;5;220m● Please run /login · API Error: 401", TurnOutcome.ERROR),
        ("● API Error: 500 without any colour", TurnOutcome.ERROR),
        ("\x1b[38;5;211m● Something new went wrong", TurnOutcome.ERROR),
        (f"{SAID}I looked: API Error: 500 is in the log", TurnOutcome.DONE),
        (f"{SAID}The log says:\r\n\r\n  API Error: 500", TurnOutcome.DONE),
        ("\x1b[38;5;220m● API Error: 500 was in the log. [SEMO:DONE]", TurnOutcome.DONE),
    ],
)
def test_an_error_of_the_agents_own_is_told_from_words_about_one(
    played: Played, words: str, outcome: TurnOutcome
) -> None:
    played.takes("do it")
    played.output(IDLE)
    played.screen("❯ do it", "", words)
    played.passes(1)

    assert [one.outcome for one in played.ends] == [outcome]


def test_a_key_pressed_long_before_the_end_is_no_interrupt(played: Played) -> None:
    played.takes("do it")
    played.types("\x1b")
    played.passes(30)
    played.output(IDLE)
    played.screen("❯ do it", "", f"{SAID}Done.")
    played.passes(1)

    assert played.outcomes == [(TurnOutcome.DONE, False)]


def test_a_prompt_that_stands_in_the_input_again_was_interrupted(played: Played) -> None:
    played.takes("do it")
    played.output(IDLE)
    played.output(f"\x1b[2J\x1b[H\r\n{RULE}\r\n❯ do it\r\n{RULE}\r\n")
    played.passes(1)

    assert played.outcomes == [(TurnOutcome.INTERRUPTED, False)]


def test_silence_asks_and_never_judges(played: Played) -> None:
    played.takes("do it")
    played.passes(3600)

    assert played.kinds.count(FindingKind.QUIET) == 1
    assert played.outcomes == []
    assert played.monitor.turn_runs


def test_a_turn_of_an_earlier_client_is_carried_on(played: Played) -> None:
    played.found += played.monitor.carry_on("do it", FIRST_BYTE, 100.0)
    played.output(BUSY + IDLE)
    played.screen("❯ do it", "", f"{SAID}Done. [SEMO:DONE]")
    played.passes(1)

    assert played.outcomes == [(TurnOutcome.DONE, True)]


def test_bytes_that_were_seen_already_are_passed_over(played: Played) -> None:
    played.takes("do it")
    text = (IDLE + BUSY).encode()
    again = Chunk(FIRST_BYTE, text)
    assert played.monitor.feed(again, 101.0) == []


def test_an_agent_is_ready_when_it_shows_where_to_type(played: Played) -> None:
    assert not played.monitor.ready
    played.output(IDLE)
    played.screen("a banner")
    assert played.monitor.ready
    played.takes("do it")
    assert not played.monitor.ready


# Agents that only print lines --------------------------------------------------------------------------------------


def test_an_agent_of_lines_is_done_when_it_said_the_marker_more_often_than_it_was_typed() -> None:
    played = Played("aider")
    played.output("> ")
    played.types("print [SEMO:DONE] at the end\r")
    played.output("print [SEMO:DONE] at the end\r\nworking\r\n[SEMO:DONE]\r\n\r\n> ")
    played.passes(1)

    assert played.outcomes == [(TurnOutcome.DONE, True)]


def test_an_agent_of_lines_that_only_echoes_the_marker_waits_for_input() -> None:
    played = Played("aider")
    played.output("> ")
    played.types("print [SEMO:DONE] at the end\r")
    played.output("print [SEMO:DONE] at the end\r\nworking\r\n\r\n> ")
    played.passes(1)

    assert played.outcomes == [(TurnOutcome.WAITING_INPUT, False)]


def test_a_program_without_a_profile_ends_its_turn_with_itself() -> None:
    played = Played("something-else")
    played.types("go\r")
    played.output("go\r\nhttps://github.com/acme/web/pull/7 \r\n[SEMO:DONE]\r\n")
    played.exits(ExitStatus(0, None))

    assert played.outcomes == [(TurnOutcome.DONE, True)]
    assert [one.detail["value"] for one in played.found if one.kind is FindingKind.PULL_REQUEST] == [
        "https://github.com/acme/web/pull/7"
    ]
