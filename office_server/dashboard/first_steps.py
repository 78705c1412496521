"""What to do in an office that has no machine yet, or has never run a prompt."""

from nicegui import ui

from office_server.dashboard.bits import Text, button, element, lead_to, link, text
from office_server.dashboard.enrolling import offer_code
from office_server.dashboard.visit import Visit
from office_server.picture_rows import Picture
from office_server.routes import enrollment, prompts


class FirstSteps:
    def __init__(self, visit: Visit) -> None:
        self.wanted = False
        self._visit = visit
        self._box = element("div", "steps")
        self._shown: tuple[bool, bool] | None = None

    def show(self, picture: Picture) -> None:
        joined = any(machine.online for machine in picture.machines)
        worked = any(session.turns for session in picture.sessions) or bool(picture.pending)
        self.wanted = not picture.machines or (not worked and not picture.attention)
        self._box.set_visibility(self.wanted)
        if self.wanted and self._shown != (joined, worked):
            self._shown = (joined, worked)
            self._build(joined)

    def _build(self, joined: bool) -> None:
        visit, words = self._visit, self._visit.words
        self._box.clear()
        with self._box:
            with self._step(1, words("first.enrol"), done=joined):
                if joined:
                    text("p", words("first.enrolled"), "quiet")
                elif visit.may(enrollment.create_enrollment):
                    text("p", words("first.enrol_why"))
                    button(words("machines.enrol"), lambda: offer_code(visit), "button first")
                else:
                    text("p", words("first.ask_admin"))
            with self._step(2, words("first.prompt"), done=False):
                text("p", words("first.prompt_why"))
                if joined and visit.may(prompts.prompt_role):
                    button(words("first.try"), self._try, "button first")
                text("code", "semo run \"git log --oneline; echo '[SEMO:DONE]'\" --role BE", "command")
                link(words("first.watch"), visit.address("sessions"))

    async def _try(self) -> None:
        role = next(iter(self._visit.office.warm_roles), "BE")
        body = prompts.RolePrompt(text="git log --oneline | head; echo '[SEMO:DONE]'", role=role)
        if await self._visit.attempt(prompts.prompt_role, "first.sent", body=body) is not None:
            lead_to(self._visit.address("sessions"))

    def _step(self, number: int, title: str, *, done: bool) -> ui.element:
        with element("section", "sheet step done" if done else "sheet step", aria_label=title):
            text("span", "✓" if done else str(number), "number", aria_hidden="true")
            body = element("div", "body")
            with body:
                Text("h2", title)
        return body
