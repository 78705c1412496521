"""What the terminal put out: played back with jumps to what happened, read and searched as lines, and downloaded."""

import html
import re
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import attributed, button, element, empty, text
from office_server.dashboard.live_terminal import COLOURS
from office_server.dashboard.outcomes import happened
from office_server.dashboard.recording import Moment, Recording
from office_server.dashboard.tabs.base import Tab

_TICK_SECONDS = 0.1
_WORTH_A_JUMP = (
    "turn.", "tool.began", "git.", "approval.", "command.typed", "taken_over", "session.needs", "session.wait",
    "session.error",
)  # fmt: skip
_MOST_JUMPS = 200
_MOST_LINES = 4000
_MOST_EVENTS = 1000


class Logs(Tab):
    async def build(self) -> None:
        pages = self.visit.services.backend.pages
        chunks = await pages.whole_output(self.seen.id)
        self._recording = Recording(chunks, await pages.events(self.seen.id, _MOST_EVENTS))
        if self._recording.is_empty:
            empty(self.words("logs.none"), self.words("logs.none_hint"))
            return
        self._at = self._recording.length_seconds
        self._plays = False
        with element("div", "logs"):
            with element("section", "player", aria_label=self.words("logs.player")):
                self._build_player()
            with element("section", "lines", aria_label=self.words("logs.lines")):
                self._build_lines()
        self._seek(self._at)

    # The player -------------------------------------------------------------------------------------------------------

    def _build_player(self) -> None:
        words = self.words
        options: dict[str, Any] = {
            "cols": self.seen.cols, "rows": self.seen.rows, "fontSize": 12, "theme": COLOURS, "disableStdin": True,
        }  # fmt: skip
        with element("div", "screen"):
            self._screen = ui.xterm(options).classes("terminal")
            attributed(self._screen, role="group", aria_label=words("logs.player"))
        with element("div", "scrubber"):
            self._button = button(words("logs.play"), self._play, "button first")
            length = max(self._recording.length_seconds, 0.1)
            self._slider = ui.slider(min=0, max=length, step=0.1, value=length).props("label-always=false")
            attributed(self._slider, aria_label=words("logs.scrubber"))
            self._slider.on("update:model-value", self._scrubbed, throttle=0.15)
        moments = [one for one in self._recording.moments if one.kind.startswith(_WORTH_A_JUMP)]
        with element("ol", "moments"):
            for moment in moments[-_MOST_JUMPS:]:
                with element("li"):
                    button(self._name_of(moment), partial(self._jump, moment), "button jump")
        ui.timer(_TICK_SECONDS, self._tick)

    def _name_of(self, moment: Moment) -> str:
        minutes, seconds = divmod(int(moment.seconds), 60)
        return f"{minutes}:{seconds:02} {happened(self.words, moment.kind, moment.detail)}"

    def _scrubbed(self, event: Any) -> None:
        self._seek(float(event.args))

    def _jump(self, moment: Moment) -> None:
        self._seek(moment.seconds)
        self._slider.value = moment.seconds

    def _seek(self, seconds: float) -> None:
        self._at = seconds
        self._screen.run_terminal_method("reset")  # pyright: ignore[reportUnknownMemberType]
        self._screen.write(self._recording.between(-1, seconds))

    def _play(self) -> None:
        self._plays = not self._plays
        if self._plays and self._at >= self._recording.length_seconds:
            self._seek(0.0)
        self._button.show(self.words("logs.pause" if self._plays else "logs.play"))

    def _tick(self) -> None:
        if not self._plays:
            return
        until = self._at + _TICK_SECONDS
        shown = self._recording.between(self._at, until)
        if shown:
            self._screen.write(shown)
        self._at = until
        self._slider.value = min(round(until, 1), self._recording.length_seconds)
        if until >= self._recording.length_seconds:
            self._play()

    # The lines --------------------------------------------------------------------------------------------------------

    def _build_lines(self) -> None:
        words = self.words
        self._lines = self._recording.text(self.seen.agent).splitlines()
        name = f"{self.seen.role}-{str(self.seen.id)[:8]}"
        with element("div", "tools"):
            search = ui.input(placeholder=words("logs.search"), on_change=self._search).props(
                "outlined dense clearable debounce=200"
            )
            attributed(search.classes("grow"), aria_label=words("logs.search"))
            self._found = text("span", "", "quiet", role="status")
            button(words("logs.download_text"), lambda: ui.download.content("\n".join(self._lines), f"{name}.txt"))
            cast = self._recording.asciicast
            button(
                words("logs.download_cast"),
                lambda: ui.download.content(cast(self.seen.cols, self.seen.rows, name), f"{name}.cast"),
            )
        self._shown = ui.html("", sanitize=False).classes("log-lines")  # it is escaped below
        attributed(self._shown, tabindex="0", role="region", aria_label=words("logs.lines"))
        self._show_lines("")

    def _search(self, event: Any) -> None:
        self._show_lines(event.value or "")

    def _show_lines(self, wanted: str) -> None:
        found = [line for line in self._lines if wanted.lower() in line.lower()]
        self._found.show(self.words("logs.found", found=len(found), all=len(self._lines)) if wanted else "")
        self._shown.content = "\n".join(marked(line, wanted) for line in found[-_MOST_LINES:])


def marked(line: str, wanted: str) -> str:
    """A line as HTML, with what was looked for marked in it."""
    if not wanted:
        return html.escape(line)
    parts = re.split(f"({re.escape(wanted)})", line, flags=re.IGNORECASE)
    escaped = [html.escape(part) for part in parts]
    return "".join(f"<mark>{part}</mark>" if place % 2 else part for place, part in enumerate(escaped))
