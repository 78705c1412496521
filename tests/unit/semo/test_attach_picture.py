"""What a visitor's terminal is shown of what went before, and what it must never be asked."""

import pytest

from shared.terminal_picture import TAIL_BYTES, Unasking, picture

QUESTIONS = [
    b"\x1b[c", b"\x1b[0c", b"\x1b[>c", b"\x1b[=0c", b"\x1b[5n", b"\x1b[6n", b"\x1b[?6n", b"\x1b[>q", b"\x1b[>0q",
    b"\x1b[?u",
    b"\x1b[?2026$p", b"\x1b[4$p", b"\x1b[14t", b"\x1b[18t", b"\x1b[21t", b"\x1b]10;?\x07", b"\x1b]11;?\x1b\\",
    b"\x1b]4;1;?\x07", b"\x1b]52;c;?\x07", b"\x1bP+q544e\x1b\\", b"\x1bP$qm\x1b\\", b"\x1bZ", b"\x05",
]  # fmt: skip
STATEMENTS = (
    b"\x1b[31mred\x1b[0m\x1b[2J\x1b[3;4H\x1b[?25l\x1b[>1u\x1b[<u\x1b[22;0t\x1b]0;what?\x07\x1b]52;c;aGk=\x07"
    b"\x1b]8;;https://example.invalid/?\x07link\x1b]8;;\x07 gr\xc3\xbcn [6n \x1b7\x1b8\x1b(B"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_are_taken_out_however_they_come_and_all_else_stays(question: bytes, size: int):
    unasking = Unasking()
    stream = STATEMENTS + question + STATEMENTS

    shown = b"".join(unasking.feed(stream[start : start + size]) for start in range(0, len(stream), size))

    assert shown == STATEMENTS + STATEMENTS


def test_what_was_painted_last_is_shown_from_its_beginning():
    shown, repaint = picture(b"old\x1b[H\x1b[2Jnew \x1b[?2004hpicture", whole=True)

    assert (shown, repaint) == (b"\x1b[H\x1b[2Jnew \x1b[?2004hpicture", False)


def test_modes_from_before_the_picture_still_hold():
    before = b"\x1b[?2004h\x1b[?1000;1006h\x1b[?1000l\x1b[?25l\x1b[?9999h"
    shown, _ = picture(before + b"\x1b[2Jx", whole=True)

    assert shown == b"\x1b[?1006h\x1b[?2004h\x1b[?25l\x1b[H\x1b[2Jx"


def test_a_shell_that_never_painted_anew_is_shown_from_its_beginning():
    assert picture(b"$ ls\r\na b\r\n$ ", whole=True) == (b"$ ls\r\na b\r\n$ ", False)


def test_of_a_long_stream_the_last_whole_lines_are_shown_and_the_program_is_asked_to_paint_anew():
    lines = b"".join(b"%06d\r\n" % number for number in range(20_000))
    shown, repaint = picture(lines, whole=False)

    assert repaint
    assert len(shown) <= TAIL_BYTES
    assert shown == lines[-len(shown) :]
    assert shown.startswith(b"0")
    assert len(shown.split(b"\r\n")[0]) == 6
