"""Small pieces that pages are built of: plain elements, times that the browser keeps counting, states, empty places."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from shared.ids import SessionId

_ANSI = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Text(TextElement):
    """An HTML element that holds text."""

    def __init__(self, tag: str, content: str) -> None:
        super().__init__(tag=tag, text=content)

    def show(self, content: str) -> None:
        """Changes the text, if it is another."""
        if self.text != content:
            self.text = content


ElementT = TypeVar("ElementT", bound=ui.element)


def element(tag: str, classes: str = "", **attributes: object) -> ui.element:
    """An HTML element. `aria_label` stands for the attribute `aria-label`."""
    return attributed(ui.element(tag).classes(classes), **attributes)


def text(tag: str, content: str, classes: str = "", **attributes: object) -> Text:
    return attributed(Text(tag, content).classes(classes), **attributes)


def attributed(made: ElementT, **attributes: object) -> ElementT:
    """Gives an element attributes, whatever characters are in them."""
    for name, value in attributes.items():
        made.props[name.strip("_").replace("_", "-")] = value
    return made


def link(content: str, address: str, classes: str = "", **attributes: object) -> Text:
    return text("a", content, classes, href=address, **attributes)


def button(content: str, pressed: Callable[[], Any], classes: str = "button", **attributes: object) -> Text:
    made = text("button", content, classes, type="button", **attributes)
    made.on("click", pressed, args=[])
    return made


def icon(name: str) -> ui.element:
    """One of the icons that come along; for the eye only."""
    return attributed(ui.icon(name), aria_hidden="true")


class Ago(ui.element):
    """How long ago something was; the browser counts on by itself."""

    def __init__(self, when: datetime | None, classes: str = "") -> None:
        super().__init__("time")
        self.classes(f"ago {classes}".strip())
        self._when: datetime | None = None
        self.show(when)

    def show(self, when: datetime | None) -> None:
        if when != self._when:
            self._when = when
            self.props["datetime"] = when.isoformat() if when else ""
            self.update()


class State(Text):
    """A state as a word with a colour of its own, which is never all that tells it."""

    def __init__(self, state: str, content: str) -> None:
        super().__init__("span", content)
        self._state = state
        self.classes(f"state is-{state}")

    def become(self, state: str, content: str) -> None:
        if state != self._state:
            self.classes(remove=f"is-{self._state}", add=f"is-{state}")
            self._state = state
        self.show(content)


def lead_to(address: str) -> None:
    """Has the browser go to a page. NiceGUI's own way would put its folder before the address once more."""
    ui.run_javascript(f"window.location.assign({json.dumps(address)})")


def tail(session: SessionId | None, label: str, classes: str = "") -> Text:
    """The last lines of a session's terminal, which the browser fills with what the visit has it hear."""
    return text("pre", "", classes, role="group", aria_label=label, data_tail=str(session or ""))


def empty(title: str, hint: str = "") -> ui.element:
    """A place where nothing is, and why."""
    with element("div", "empty") as place:
        text("p", title).classes("title")
        if hint:
            text("p", hint)
    return place


def plain(content: str) -> str:
    """Text without what would move a cursor."""
    return _ANSI.sub("", content)


def visible(content: str) -> str:
    """Text; of keys alone that leave no mark, their signs: ⏎ for Enter, ␣ for a space, ^C for Ctrl-C."""
    if words := plain(content).strip():
        return words
    return "".join(_sign(key) for key in content)


def _sign(key: str) -> str:
    if key in "\r\n":
        return "⏎"
    if key < " " or key == "\x7f":
        return f"^{chr(ord(key) ^ 0x40)}"
    return "␣" if key.isspace() else key


def seconds_in_words(seconds: float) -> str:
    """A duration, short: 4.2 s, 3:05 min, 2:10 h."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h"
