"""A code that lets another machine in, as text and as a picture, in a dialog."""

import segno
from nicegui import ui

from office_server.dashboard.bits import Ago, attributed, button, element, text
from office_server.dashboard.visit import Visit
from office_server.routes import enrollment


async def offer_code(visit: Visit) -> None:
    """Asks the office for a code and shows it, once."""
    code: enrollment.EnrollmentCode | None = await visit.attempt(enrollment.create_enrollment)
    if code is None:
        return
    words = visit.words
    here = ui.context.client.request.url
    join = f"semo client join {code.code} --office-url {here.scheme}://{here.netloc}"
    with attributed(ui.dialog(), aria_label=words("machines.enrol")) as dialog, element("div", "sheet panel"):
        text("h2", words("machines.enrol"))
        text("p", words("machines.code_hint"), "quiet")
        with element("div", "enrol"):
            element("img", "qr", src=segno.make(join, micro=False).svg_data_uri(scale=4, border=2, light="#fff"),
                    alt=words("machines.code_picture"))  # fmt: skip
            with element("div", "body"):
                text("p", code.code, "code")
                with element("p", "quiet"):
                    text("span", f"{words('machines.code_until')} ")
                    Ago(code.expires_at)
        text("code", join, "command", tabindex="0")
        with element("div", "does"):
            button(words("frame.copy"), lambda: ui.clipboard.write(join))
            button(words("frame.close"), dialog.close, "button first")
    dialog.open()
