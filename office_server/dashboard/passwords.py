"""A person's own password in Supabase Auth, changed by whoever knows the one before."""

from nicegui import ui

from office_server.access import User
from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.visit import Visit
from shared.errors import OfficeError, Unauthenticated

_LEAST = 8


def change(visit: Visit, email: str) -> None:
    """Opens a dialog for it."""
    words = visit.words
    with attributed(ui.dialog(), aria_label=words("password.change")) as dialog, element("div", "sheet panel"):
        text("h2", words("password.change"))
        text("p", email, "quiet")
        before, after = (
            attributed(
                ui.input(words(f"password.{name}"), password=True).props("outlined"), autocomplete=f"{kind}-password"
            )
            for name, kind in (("before", "current"), ("after", "new"))
        )
        said = text("p", "", "refused-said", role="alert")

        async def save() -> None:
            if len(after.value or "") < _LEAST:
                said.show(words("password.short", least=_LEAST))
                return
            said.show(await _change(visit, email, before.value or "", after.value or "") or "")
            if not said.text:
                visit.say(words("password.changed"))
                dialog.close()

        after.on("keydown.enter", save, args=[])
        with element("div", "does"):
            button(words("frame.cancel"), dialog.close)
            button(words("do.save"), save, "button first")
    dialog.open()


async def _change(visit: Visit, email: str, before: str, after: str) -> str | None:
    """What is wrong, for people; None when it was changed."""
    services, caller = visit.services, visit.who.caller
    if not isinstance(caller, User):
        return visit.words.of("error", "forbidden")
    try:
        services.sign_in_tries.note(str(caller.id))
        if await services.backend.members.who_has(email, before) == caller.id:
            await services.backend.members.change_password(caller.id, after)
            return None
    except Unauthenticated:
        pass  # said below, as if it were anybody else's
    except OfficeError as error:
        return f"{visit.words.of('error', error.code)}: {error.detail}"
    return visit.words("password.wrong")
