"""Makes readable text of what a terminal was told, in whatever pieces it comes.

Escapes go. Of a `shell` session its prompts go as well, and the echo of what was typed there: its marks say where the
output of its commands begins (OSC 133;C) and ends (133;D). The stored output keeps all of it.
"""

import re

_CUT_KEPT = 4096
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands: titles, prompt marks
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # device control and private strings
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[ -/]*[0-~]"  # single functions
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
_IDLE_RETURN = re.compile(r"(?<=\n)\r+(?!\n)")  # to the begin of a line, from there
_LINE_END = re.compile(r"\r+\n?")
_CUT = re.compile(r"(?:\x1b(?:\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)|\r+)\Z")
_MARK = re.compile(r"\x1b\]133;(?P<kind>[CD]);(?P<nonce>[^;\x07\x1b]+)[^\x07\x1b]*(?:\x07|\x1b\\)")


class TerminalText:
    """One turn of a session. Feed it what the terminal was told, then `finish`.

    Args:
        shells: the whole of a session, whose shell is another one whenever it is lent anew.
    """

    def __init__(self, agent: str, *, shells: bool = False) -> None:
        self._shells = shells
        self._cut = ""  # an escape or the end of a line, its rest still to come
        self._has_marks = self._at_prompt = agent == "shell"
        self._nonce = ""  # of the first mark: what a command prints later cannot know it
        self._echo = ""  # kept until something runs, so that a shell that only complains is heard
        self._before = "\n"  # the character shown last

    def feed(self, told: str) -> str:
        """The text to show now."""
        told = self._cut + told
        cut = _CUT.search(told, max(0, len(told) - _CUT_KEPT))
        whole = cut.start() if cut else len(told)
        self._cut = told[whole:]
        shown = self._split(told[:whole]) if self._has_marks else told[:whole]
        return self._plain(shown)

    def finish(self) -> str:
        """What was held back although nothing ran, and the end of a line that has none. Nothing more will be fed."""
        held = "" if self._nonce else self._plain(self._echo)
        return held if self._before == "\n" else f"{held}\n"

    def _split(self, told: str) -> str:
        shown: list[str] = []
        place = 0
        for mark in _MARK.finditer(told):
            shown.append(self._visible(told[place : mark.start()]))
            place = mark.end()
            if mark["nonce"] != (self._nonce or mark["nonce"]) and not (self._shells and self._at_prompt):
                continue
            if not self._nonce and mark["kind"] == "D":
                shown.append(self._echo)
            self._nonce, self._echo = mark["nonce"], ""
            self._at_prompt = mark["kind"] == "D"
        shown.append(self._visible(told[place:]))
        return "".join(shown)

    def _visible(self, told: str) -> str:
        if self._at_prompt:
            self._echo += told
            return ""
        return told

    def _plain(self, told: str) -> str:
        """Without escapes. What would be written over earlier text of its line gets a line of its own."""
        text = self._before + _ESCAPES.sub("", told)
        text = self._before + _LINE_END.sub("\n", _IDLE_RETURN.sub("", text)[1:])
        self._before = text[-1]
        return text[1:]
