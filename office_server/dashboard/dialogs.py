"""Small dialogs, asking whether somebody is sure and for one line of text; and what larger ones have in common."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import State, Text, attributed, button, element, icon, text
from office_server.dashboard.words import Words


async def sure(words: Words, title: str, what: str, does: str) -> bool:
    """Whether the person is sure of something that cannot be undone."""
    with attributed(ui.dialog(), aria_label=title) as dialog, element("div", "sheet panel"):
        text("h2", title)
        text("p", what, "quiet")
        with element("div", "does"):
            button(words("frame.keep"), lambda: dialog.submit(False))
            button(does, lambda: dialog.submit(True), "button danger")
    answer = await dialog
    dialog.delete()
    return bool(answer)


async def one_line(words: Words, title: str, label: str, value: str = "") -> str | None:
    """What the person wrote; None when they left it."""
    with attributed(ui.dialog(), aria_label=title) as dialog, element("div", "sheet panel"):
        text("h2", title)
        field = attributed(ui.input(label, value=value).props("outlined autofocus"), aria_label=label)
        field.on("keydown.enter", lambda: dialog.submit(field.value), args=[])
        with element("div", "does"):
            button(words("frame.cancel"), lambda: dialog.submit(None))
            button(words("do.save"), lambda: dialog.submit(field.value), "button first")
    answer = await dialog
    dialog.delete()
    return str(answer).strip() or None if answer is not None else None


async def show_once(words: Words, title: str, hint: str, secret: str) -> None:
    """Shows a secret that is not to be had again."""
    with attributed(ui.dialog().props("persistent"), aria_label=title) as dialog, element("div", "sheet panel"):
        text("h2", title)
        text("p", hint, "quiet")
        text("code", secret, "command", tabindex="0")
        with element("div", "does"):
            copy_button(words)
            button(words("frame.close"), lambda: dialog.submit(None), "button first")
    await dialog
    dialog.delete()


def copy_button(words: Words) -> None:
    """Copies the dialog's `.command`, and says so. The browser does it by itself: later it would not let it."""
    made = text("button", words("frame.copy"), "button", type="button")
    copies = "(event) => { window.semo.copy(event.currentTarget); emit() }"
    made.on("click", lambda: made.show(words("frame.copied")), js_handler=copies)


def close_button(words: Words, close: Callable[[], Any]) -> None:
    """The cross in a dialog's head."""
    with button("", close, "button bare", aria_label=words("frame.close")):
        icon("close")


def job_head(words: Words, close: Callable[[], Any]) -> tuple[Text, State]:
    """The head of a job that is opened: its title and its status, which are shown as they become known."""
    with element("header", "head"):
        title, state = text("h2", ""), State("waiting", "")
        element("span", "space")
        close_button(words, close)
    return title, state
