"""Reads an interactive bash that carries our marks: tells echo, output and prompts apart, whatever the chunking.

Says what it saw (`Sign`, `Line`); what that means for a turn is the business of `shell`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from remote_client.terminals import FIRST_BYTE
from shared.channels import DONE_MARKER
from shared.ids import ByteOffset

MARKER = DONE_MARKER.encode()
STOP_FILE = "SEMO_STOP_FILE"
"""The variable that names the file by which the rest of a script is stopped; it grows with each command skipped."""
LINE_KEPT_BYTES = 8192
ESCAPE_KEPT_BYTES = 8192

_ESCAPE = re.compile(
    rb"\x1b(?:"
    rb"\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    rb"|[PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    rb"|\[(?P<csi>[0-?]*[ -/]*[@-~])"
    rb"|(?P<short>[ -/]*[0-OQ-WYZ\\`-~])"
    rb")"
)
_BEGUN_ESCAPE = re.compile(rb"\x1b(?:\][^\x07\x1b]*\x1b?|[PX^_][^\x07\x1b]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)")
_INVISIBLE = bytes(set(range(0x20)) - set(b"\n\t")) + b"\x7f"
_CURSOR_ELSEWHERE = re.compile(rb"[0-9;]*[Hfd]|[23]J|\?(?:47|1047|1049)[hl]")
_ALTERNATE_SCREEN = re.compile(rb"\?(?:47|1047|1049)([hl])")

SignKind = Literal["runs", "ended", "errors_hidden", "prompt", "continuation"]


@dataclass(frozen=True)
class Sign:
    """A mark of our shell. `runs`: a command begins; `ended`: a prompt is next; `errors_hidden`: standard error is
    not the terminal; `prompt`: the shell waits for a command; `continuation`: it waits for the rest of one."""

    kind: SignKind
    offset: ByteOffset
    pid: int = 0
    status: int = 0
    verbose: bool = False
    hidden: bool = False
    """A prompt that was not seen, but concluded from the terminal's mode."""


@dataclass(frozen=True)
class Line:
    """A line of output that may mean something: the marker alone, or one with an address in it."""

    text: bytes
    offset: ByteOffset
    is_marker: bool
    certain: bool
    """False where the shell's own echo cannot be told from output."""


def marks(nonce: str) -> dict[str, str]:
    """The environment that makes a bash carry our marks, and begin no command while the file `STOP_FILE` names exists.

    bash keeps the rest of a paste, whatever becomes of the command that runs, and nothing takes it away. So PS0, which
    comes before each command and its redirections, interrupts the shell then. A shell that catches the interrupt goes
    on: it is stopped where it stands, and left to whoever ends it.
    """
    stop = (
        # Without a further process, since that takes longest. bash prints a newline for each interrupt: one shows.
        rf"""[[ -s ${STOP_FILE} ]] && printf '\e[A' >/dev/tty; """
        rf"""{{ echo; trap -p INT; }} >>"${STOP_FILE}"; read -rd '' semo_trap <"${STOP_FILE}"; """
        rf"""[[ $semo_trap == *trap* ]] && kill -STOP $$; kill -INT $$"""
    )
    commands = (
        r"""{ semo_was=("$?" "$-"); set +x; } 2>/dev/null""",  # a script's tracing shows nothing of ours
        # To the terminal itself: the script may have sent its standard output or error elsewhere.
        rf"""printf '\e]133;D;{nonce};%s;%s;%s\a' "$$" "${{semo_was[@]}}" >/dev/tty""",
        rf"""[[ -t 2 ]] || printf '\e]133;E;{nonce}\a' >/dev/tty""",
        r"""[[ ${semo_was[1]} != *x* ]] || set -x""",
    )
    return {
        "PS0": rf"\e]133;C;{nonce};$$;$-\a$({{ [[ ! -e ${STOP_FILE} ]] || {{ {stop}; }}; }} 2>/dev/null)",
        "PS1": rf"\[\e]133;A;{nonce}\a\]\$ \[\e]133;B;{nonce};$$;$?\a\]",
        "PS2": rf"\[\e]133;P;{nonce}\a\]> ",
        "PROMPT_COMMAND": "; ".join(commands),
    }


class ShellStream:
    """Takes bytes in, gives signs and lines out, each once."""

    def __init__(self, nonce: str, offset: ByteOffset = FIRST_BYTE) -> None:
        self._nonce = nonce.encode()
        self._rest = b""
        self.position = offset
        self._line = bytearray()
        self._line_is_ours = False  # something of it was echo
        self._in_output = False
        self._certain = True
        self._alternate = False

    def feed(self, data: bytes) -> Iterator[Sign | Line]:
        buffer = self._rest + data
        base = self.position - len(self._rest)
        self.position = ByteOffset(self.position + len(data))
        self._rest = b""
        place = 0
        while (escape := buffer.find(b"\x1b", place)) >= 0:
            if escape > place:
                yield from self._text(buffer[place:escape], base + place)
            found = _ESCAPE.match(buffer, escape)
            if found is not None:
                yield from self._escape(found, ByteOffset(base + found.end()))
                place = found.end()
            elif len(buffer) - escape < ESCAPE_KEPT_BYTES and _BEGUN_ESCAPE.fullmatch(buffer, escape):
                self._rest = buffer[escape:]
                return
            else:
                place = escape + 1
        if place < len(buffer):
            yield from self._text(buffer[place:], base + place)

    def finish_line(self) -> Iterator[Line]:
        """Nothing more will be added to the last line."""
        yield from self._end_line(self.position)

    def _text(self, text: bytes, offset: int) -> Iterator[Line]:
        if b"\n" not in text:
            self._extend(text)
            return
        first = text.index(b"\n")
        last = text.rindex(b"\n")
        self._extend(text[:first])
        yield from self._end_line(ByteOffset(offset + first))
        middle = text[first + 1 : last + 1]
        if MARKER in middle.translate(None, _INVISIBLE) or b"://" in middle:
            place = offset + first + 1
            for line in middle.splitlines(keepends=True):
                self._extend(line)
                place += len(line)
                if line.endswith(b"\n"):
                    yield from self._end_line(ByteOffset(place - 1))
        self._extend(text[last + 1 :])

    def _extend(self, text: bytes) -> None:
        visible = text.translate(None, _INVISIBLE)
        if not visible:
            return
        if not self._in_output and visible.strip():
            self._line_is_ours = True
        if len(self._line) < LINE_KEPT_BYTES:
            self._line += visible

    def _end_line(self, offset: ByteOffset) -> Iterator[Line]:
        text = bytes(self._line).strip()
        counts = not self._line_is_ours and not self._alternate
        self._line.clear()
        self._line_is_ours = False
        if counts and (text == MARKER or b"://" in text):
            yield Line(text, offset, text == MARKER, self._certain)

    def _escape(self, found: re.Match[bytes], end: ByteOffset) -> Iterator[Sign | Line]:
        if (osc := found["osc"]) is not None:
            yield from self._mark(osc, end)
            return
        elsewhere = found["short"] == b"c"
        if (csi := found["csi"]) is not None:
            elsewhere = _CURSOR_ELSEWHERE.fullmatch(csi) is not None
            if screen := _ALTERNATE_SCREEN.fullmatch(csi):
                self._alternate = screen[1] == b"h"
        if elsewhere:
            self._line.clear()
            self._line_is_ours = False

    def _mark(self, osc: bytes, end: ByteOffset) -> Iterator[Sign | Line]:
        parts = osc.split(b";")
        if len(parts) < 3 or parts[0] != b"133" or parts[2] != self._nonce:
            return
        letter = parts[1]
        if letter == b"C":
            self._in_output = True
            self._certain = b"v" not in parts[4]
            yield Sign("runs", end, pid=int(parts[3]), verbose=not self._certain)
        elif letter == b"D":
            self._in_output = False
            yield Sign("ended", end, pid=int(parts[3]), status=int(parts[4]), verbose=b"v" in parts[5])
        elif letter == b"E":
            self._in_output = True
            self._certain = False
            yield Sign("errors_hidden", end)
        elif letter == b"A":
            yield from self._end_line(end)
            self._in_output = False
            self._alternate = False
        elif letter == b"B":
            self._in_output = False
            yield Sign("prompt", end, pid=int(parts[3]), status=int(parts[4]))
        elif letter == b"P":
            self._in_output = False
            yield Sign("continuation", end)
