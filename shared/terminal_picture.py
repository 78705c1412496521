"""Shows a person's terminal what a program told its own: from the last time that it painted anew, and no questions.

A question would be answered by the person's terminal, and the answer be typed into the program. Escapes only; no I/O.
"""

import re

LOOK_BACK_BYTES = 1_048_576
TAIL_BYTES = 65_536
"""What is shown of a program that never paints anew, such as a shell."""

_CUT_KEPT = 65_536
_PAINTS_ANEW = re.compile(rb"\x1b\[2J|\x1bc|\x1b\[\?(?:1049|1047|47)h")
_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_TOLD_MODES = {b"1", b"1000", b"1002", b"1003", b"1004", b"1006", b"2004", b"1049"}
_HOME = b"\x1b[H"
_QUESTION = re.compile(
    rb"\x1b\[[>=]?[0-9;]*c"  # who are you
    rb"|\x1b\[\??[0-9;]*n"  # where is the cursor
    rb"|\x1b\[>[0-9]*q|\x1b\[\?u|\x1b\[\??[0-9;]*\$p|\x1bZ|\x05"  # which version, which keys, which mode
    rb"|\x1b\[(?:1[1345689]|2[01])(?:;[0-9]+)*t"  # how large
    rb"|\x1b\][0-9]+;(?:[^\x07\x1b;]*;)?\?(?:\x07|\x1b\\)"  # which colour, what is in the clipboard
    rb"|\x1bP[+$]q[^\x1b]*\x1b\\"
)
_CUT = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|P[^\x1b]*\x1b?)?\Z")


class Unasking:
    """Takes the questions out of a stream, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._cut = b""

    def feed(self, data: bytes) -> bytes:
        data, self._cut = self._cut + data, b""
        cut = _CUT.search(data, max(0, len(data) - _CUT_KEPT))
        if cut:
            data, self._cut = data[: cut.start()], data[cut.start() :]
        return _QUESTION.sub(b"", data)


def picture(before: bytes, *, whole: bool) -> tuple[bytes, bool]:
    """What to show of the output until now, and whether the program should be asked to paint anew.

    Args:
        before: the last of the output.
        whole: there is nothing before it.
    """
    painted = [found.start() for found in _PAINTS_ANEW.finditer(before)]
    if painted:
        start, lead = painted[-1], _HOME
    elif whole and len(before) <= TAIL_BYTES:
        start, lead = 0, b""
    else:
        start, lead = before.find(b"\n", max(0, len(before) - TAIL_BYTES)) + 1, b""
    return _modes(before[:start]) + lead + before[start:], not painted and start > 0


def _modes(before: bytes) -> bytes:
    """What was switched on before and holds still."""
    on: dict[bytes, bool] = {}
    for found in _MODE.finditer(before):
        on |= dict.fromkeys(found[1].split(b";"), found[2] == b"h")
    shown = [b"\x1b[?" + mode + b"h" for mode in sorted(on) if on[mode] and mode in _TOLD_MODES]
    return b"".join(shown) + (b"\x1b[?25l" if on.get(b"25") is False else b"")
