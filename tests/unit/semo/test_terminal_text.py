"""What people are shown of a terminal: words, not escapes; what a shell's commands said, not what was typed into it."""

import pytest

from shared.terminal_text import TerminalText


def mark(kind: str, nonce: str = "abc123") -> str:
    return f"\x1b]133;{kind};{nonce};4711;himBHs\x07"


ECHO = "echo hello\r\n\x1b[?2004l\r"
PROMPT = mark("A") + "$ " + mark("B")
TURN = ECHO + mark("C") + "hello\r\n" + mark("D") + PROMPT


def shown(*pieces: str, agent: str = "shell") -> str:
    text = TerminalText(agent)
    return "".join(map(text.feed, pieces)) + text.finish()


def test_escapes_and_carriage_returns_are_not_shown():
    assert shown("\x1b[1;32mok\x1b[0m\r\n\x1b]0;title\x1b\\done\r\n\x1b[2K\r\x07", agent="other") == "ok\ndone\n"


def test_plain_text_stays_as_it_is():
    assert shown("naïve ☃ 한국어\ttab\n\n", agent="other") == "naïve ☃ 한국어\ttab\n\n"


def test_each_state_of_a_progress_bar_gets_a_line_of_its_own():
    assert shown("\r10 %\r20 %\r", "\r30 %\r\ndone\n", agent="other") == "10 %\n20 %\n30 %\ndone\n"


def test_neither_the_echo_of_a_script_nor_the_prompt_after_it_is_shown():
    assert shown(TURN) == "hello\n"


@pytest.mark.parametrize("text", [TURN, "\x1b]0;t\x1b\\" + TURN, ECHO + mark("C") + "a\rb\r\n\r\nc" + mark("D")])
def test_it_does_not_matter_in_what_pieces_it_comes(text: str):
    assert shown(*text) == shown(text)


def test_the_echo_is_shown_when_the_shell_only_complained():
    complaint = "bash: syntax error near unexpected token `fi'\r\n"
    assert shown("fi\r\n" + complaint + mark("D") + PROMPT) == "fi\n" + complaint.replace("\r", "")


def test_the_echo_is_shown_when_nothing_ran_at_all():
    assert shown("cat <<EOF\r\n> ") == "cat <<EOF\n> \n"


def test_a_command_that_prints_somebody_elses_marks_hides_nothing():
    forged = mark("D", nonce="guessed")
    assert shown(ECHO + mark("C") + "one\r\n" + forged + "two\r\n" + mark("D") + PROMPT) == "one\ntwo\n"


def test_the_output_of_another_agent_is_shown_whatever_marks_it_has():
    assert shown("one\n" + mark("D") + "two\n", agent="other") == "one\ntwo\n"


def test_a_last_line_without_an_end_gets_one():
    assert shown(ECHO + mark("C") + "no end" + mark("D") + PROMPT) == "no end\n"
