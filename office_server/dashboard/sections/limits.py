"""What is set about the office: its name, roles kept warm, limits, what is kept for how long, and patterns."""

import json

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.routes import jobs, offices
from office_server.rows import Office
from shared.errors import InvalidPayload

_NUMBERS = (
    "session_limit", "idle_seconds", "approval_seconds", "output_keep_bytes", "output_keep_days", "events_keep_days",
)  # fmt: skip


class Limits:
    def __init__(self, visit: Visit, office: Office) -> None:
        self._visit = visit
        words = visit.words
        may = visit.may(offices.change_office)
        with element("div", "sheet form"):
            self._name = self._field("name", office.name, may)
            self._roles = self._field("warm_roles", ", ".join(office.warm_roles), may)
            self._numbers = {name: self._field(name, str(getattr(office, name)), may) for name in _NUMBERS}
            patterns = ui.textarea(words("settings.patterns"), value=json.dumps(office.patterns, indent=2))
            self._patterns = patterns.props("outlined autogrow" + ("" if may else " readonly")).classes("mono wide")
            text("p", words("settings.patterns_hint"), "quiet wide")
            if may:
                with element("div", "does wide"):
                    button(words("do.save"), self._save, "button first")

    def _field(self, name: str, value: str, may: bool) -> ui.input:
        return ui.input(self._visit.words(f"settings.{name}"), value=value).props(
            "outlined dense" + ("" if may else " readonly")
        )

    async def _save(self) -> None:
        try:
            body = offices.OfficeChange.model_validate(
                {
                    "name": self._name.value,
                    "warm_roles": [role.strip() for role in (self._roles.value or "").split(",") if role.strip()],
                    "patterns": json.loads(self._patterns.value or "[]"),
                    **{name: field.value for name, field in self._numbers.items()},
                }
            )
        except (ValidationError, json.JSONDecodeError) as error:
            self._visit.complain(wrong(error))
            return
        await self._visit.attempt(offices.change_office, "do.saved", body=body)


class JobLimits:
    """How many jobs run at once in the office, and of which role."""

    def __init__(self, visit: Visit, limits: jobs.JobLimits) -> None:
        self._visit = visit
        words, may = visit.words, visit.may(jobs.change_job_limits)
        how = "outlined dense" + ("" if may else " readonly")
        with element("div", "sheet form"):
            self._running = ui.number(words("settings.jobs_running"), value=limits.running, min=1, max=1000).props(how)
            said = ", ".join(f"{role} {most}" for role, most in sorted(limits.roles.items()))
            self._roles = ui.input(words("settings.jobs_roles"), value=said).props(how)
            attributed(self._roles, placeholder="QA 1, BE 3")
            if may:
                with element("div", "does wide"):
                    button(words("do.save"), self._save, "button first")

    async def _save(self) -> None:
        try:
            body = jobs.JobLimitsChange.model_validate({"running": self._running.value, "roles": self._by_role()})
        except ValidationError as error:
            self._visit.complain(wrong(error))
        except InvalidPayload as error:
            self._visit.complain(error)
        else:
            await self._visit.attempt(jobs.change_job_limits, "do.saved", body=body)

    def _by_role(self) -> dict[str, str]:
        """Raises InvalidPayload."""
        found: dict[str, str] = {}
        for part in str(self._roles.value or "").split(","):
            match part.replace("=", " ").replace(":", " ").split():
                case []:
                    continue
                case [role, most]:
                    found[role] = most
                case _:
                    raise InvalidPayload(self._visit.words("settings.jobs_wrong", part=part.strip()))
        return found
