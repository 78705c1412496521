"""A code that lets another machine in, as text and as a picture, in a dialog."""

from urllib.parse import quote

from nicegui import ui

from office_server.dashboard.bits import Ago, attributed, button, element, text
from office_server.dashboard.dialogs import copy_button
from office_server.dashboard.visit import Visit
from office_server.routes import enrollment


async def offer_code(visit: Visit) -> None:
    """Asks the office for a code and shows it, once."""
    here = ui.context.client.request.url
    asked_at = f"{here.scheme}://{here.netloc}"
    code: enrollment.EnrollmentCode | None = await visit.attempt(enrollment.create_enrollment, asked_at=asked_at)
    if code is None:
        return
    words = visit.words
    with attributed(ui.dialog(), aria_label=words("machines.enrol")) as dialog, element("div", "sheet panel"):
        text("h2", words("machines.enrol"))
        text("p", words("machines.code_hint"), "quiet")
        with element("div", "enrol"):
            element("img", "qr", src=_as_address(code.qr_svg), alt=words("machines.code_picture"))
            with element("div", "body"):
                text("p", code.code, "code")
                with element("p", "quiet"):
                    text("span", f"{words('machines.code_until')} ")
                    Ago(code.expires_at)
        text("code", code.command, "command", tabindex="0")
        with element("div", "does"):
            copy_button(words)
            button(words("frame.close"), dialog.close, "button first")
    dialog.open()


def _as_address(svg: str) -> str:
    """A picture that an `img` can show."""
    return f"data:image/svg+xml;charset=utf-8,{quote(svg)}"
