"""A minimal terminal screen: what text stands where. Endless to the right, and what scrolled off the top is kept.

Programs that draw wrap their own lines, so nothing is wrapped here, and the width need not be known: a recording
does not tell when it changed. The height is taken from what the program does when nobody tells it.
"""

import codecs
import re

from remote_client.monitor.screen_moves import ScreenMoves, Style

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f]+)"
    r"|(?P<wipe>\x1b\[H(?:\x1b\[2K\x1b\[1?B){3,}\x1b\[2K)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b(?P<short>[ -/]*[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1f\x7f])"
)
_BEGUN = re.compile(r"\x1b(?:[\]PX^_][^\x07\x1b]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)")
_BEGUN_WIPE = re.compile(r"\x1b\[H(?:\x1b\[2K\x1b\[1?B)*(?:\x1b(?:\[(?:2K?|1)?)?|\x1b\[2K(?:\x1b(?:\[1?)?)?)?$")
_BEGUN_KEPT = 8192


class Screen(ScreenMoves):
    """Fed with bytes in any pieces; `lines` is what stands there now, what scrolled off included."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes | memoryview) -> None:
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        end = len(text)
        last_escape = text.rfind("\x1b")
        # A string's end is an escape, too: look at the one before as well.
        for begin in (text.rfind("\x1b", 0, max(last_escape, 0)), last_escape):
            if begin >= 0 and end - begin < _BEGUN_KEPT and _BEGUN.fullmatch(text, begin):
                self._rest = text[begin:]
                end = begin
                break
        wipe = text.rfind("\x1b[H", 0, end)
        if wipe >= 0 and end - wipe < _BEGUN_KEPT and _BEGUN_WIPE.match(text[wipe:]):
            self._rest = text[wipe:]
            end = wipe
        for token in _TOKEN.finditer(text, 0, end):
            kind = token.lastgroup
            if kind == "text":
                self.write(token[0])
            elif kind == "final":
                self.control_sequence(token["final"], token["parameters"])
            elif kind == "control":
                self.control(token[0])
            elif kind == "wipe":
                self.wipe(token[0].count("K"))
            elif kind == "short":
                self.short_escape(token["short"])

    def lines(self) -> list[str]:
        """Top to bottom, without what stands empty to the right."""
        return [line.replace("\0", "").rstrip() for line in self.canvas.lines]

    def styles(self) -> list[Style]:
        """For each line how its first visible character was painted."""
        return self.canvas.styles

    def visible_lines(self) -> list[str]:
        """What a person would see."""
        return self.lines()[self.canvas.top :]
