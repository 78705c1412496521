"""The form of the Execute page: where, who, what, within which limits, held to what; and saving it as a template."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.feed import News
from office_server.dashboard.prompt_fields import PromptFields
from office_server.dashboard.saving_templates import offer_save
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.picture_rows import SeenMachine
from office_server.plan_document import Place
from office_server.routes import executions, templates
from office_server.routes.executions import NewExecutions, Queued
from office_server.routes.plan_answers import JobSeen
from office_server.spec_rows import PromptTemplate

_ANY = ""


class Form:
    """`started` is told what was put into the queue."""

    def __init__(self, visit: Visit, roles: dict[str, str], started: Callable[[Queued], Awaitable[None]]) -> None:
        self._visit = visit
        self._started = started
        self._roles = roles
        self._machines: list[SeenMachine] = []
        self._agents: list[str] = []
        self._offered: object = None
        words = visit.words
        with element("section", "sheet ask", aria_label=words("execute.form")):
            text("h2", words("execute.form"))
            with element("div", "fields"):
                self._machine = self._select("project", {_ANY: words("execute.any_machine")}, _ANY).classes("wide")
                first = next((role for role in visit.office.warm_roles if role in roles), next(iter(roles), ""))
                self._role = self._select("role", roles, first)
                self._agent = self._select("agent", {_ANY: words("execute.any_agent")}, _ANY)
                self._model = attributed(
                    self._input("model").props("stack-label"), placeholder=words("execute.model_hint")
                )
            self.what = PromptFields(visit, self._work_as)
            with element("details", "more-fields"):
                text("summary", words("execute.limits"))
                self._build_limits()
            with element("div", "does"):
                button(words("execute.save"), self._save)
                button(words("execute.start"), self._start, "button first")
        self._machine.on_value_change(self._offer_agents)
        visit.on_news(self._look)

    def _build_limits(self) -> None:
        words = self._visit.words
        with element("div", "fields"):
            self._minutes = self._number("minutes", 30, "min=0.1 max=1440")
            self._at_once = self._number("at_once", 10, "min=1 max=1000")
            self._tries = self._number("tries", None, "min=1 max=10")
            self._cap = self._number("cap", None, "min=0.01 step=0.5 prefix=$")
        text("h3", words("execute.conditions"))
        text("p", words("execute.conditions_hint"), "quiet")
        with element("div", "fields"):
            self._checks = ui.select(
                [], label=words("execute.checks"), multiple=True, new_value_mode="add-unique"
            ).props("outlined dense options-dense use-chips")
            attributed(self._checks, aria_label=words("execute.checks"))
            self._must_change = self._input("must_change").props("placeholder='src/**' stack-label")
            self._person = self._input("person")
            self._commit = attributed(ui.checkbox(words("execute.commit")), aria_label=words("execute.commit"))

    # Where and who ----------------------------------------------------------------------------------------------------

    def _look(self, news: News) -> None:
        if news.picture is None or not news.new_picture:
            return
        self._machines = news.picture.machines
        offered = [(one.id, one.name, one.online, one.repository) for one in self._machines]
        if offered == self._offered:
            return
        self._offered = offered
        words = self._visit.words
        options = {_ANY: words("execute.any_machine")} | {str(one.id): self._in_words(one) for one in self._machines}
        value = self._machine.value if self._machine.value in options else _ANY
        self._machine.set_options(options, value=value)  # pyright: ignore[reportUnknownMemberType]
        self._offer_agents()

    def _in_words(self, machine: SeenMachine) -> str:
        where = (machine.repository or {}).get("path") or self._visit.words("execute.no_repository")
        away = "" if machine.online else f" · {self._visit.words('connection.offline')}"
        return f"{where} · {machine.name}{away}"

    def _offer_agents(self) -> None:
        words = self._visit.words
        there = [one for one in self._machines if self._machine.value in (_ANY, str(one.id))]
        agents = sorted({name for one in there for name in one.capabilities.get("agents", {})})
        self._agents = agents
        options = {_ANY: words("execute.any_agent")} | {name: name for name in agents}
        value = self._agent.value if self._agent.value in options else _ANY
        self._agent.set_options(options, value=value)  # pyright: ignore[reportUnknownMemberType]
        known = sorted({str(name) for one in there for name in (one.policy or {}).get("checks", [])})
        chosen = list(self._checks.value or [])
        self._checks.set_options(  # pyright: ignore[reportUnknownMemberType]
            sorted({*known, *chosen}), value=chosen
        )

    def _work_as(self, template: PromptTemplate) -> None:
        """As the template says; what a person then says otherwise counts."""
        said = template.defaults
        if said.get("role") in self._roles:
            self._role.value = said["role"]
        if said.get("agent") in self._agents:
            self._agent.value = said["agent"]
        if said.get("model"):
            self._model.value = said["model"]

    # What is done -----------------------------------------------------------------------------------------------------

    def put(self, job: JobSeen) -> None:
        """What was asked before, to be changed and asked again."""
        self.what.put(job.prompt)
        self._role.value = job.role
        self._agent.value = job.agent if job.agent in self._agents else _ANY
        self._model.value = job.model or ""
        self._minutes.value = job.timeout_s / 60
        self._tries.value = job.max_tries
        self._hold_to(job.conditions)
        here = {one.id for one in self._machines}
        self._machine.value = str(job.client_id) if job.client_id in here else _ANY

    async def offer_templates(self, chosen: str | None = None) -> None:
        found: templates.TemplateList = await self._visit.do(templates.list_templates)
        self.what.offer(found.templates, chosen)

    def place(self) -> dict[str, Any]:
        """Who works where, and for how long."""
        said = {
            "role": self._role.value, "agent": self._agent.value, "model": (self._model.value or "").strip(),
            "client": self._machine.value,
            "timeout_s": self._minutes.value * 60 if self._minutes.value else None,
            "max_tries": int(self._tries.value) if self._tries.value else None,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value not in (None, "")}

    def conditions(self) -> list[dict[str, Any]]:
        checks = cast("list[str]", self._checks.value or [])  # pyright: ignore[reportUnknownMemberType]
        found: list[dict[str, Any]] = [{"check": name} for name in checks]
        patterns = [one.strip() for one in str(self._must_change.value or "").split(",")]
        found += [{"must_change": one} for one in patterns if one]
        if self._commit.value:
            found.append({"commit": True})
        question = str(self._person.value or "").strip()
        return [*found, {"person": question}] if question else found

    def _hold_to(self, conditions: list[dict[str, Any]]) -> None:
        """The opposite of `conditions`, as far as the form has fields for them."""
        said: dict[str, list[Any]] = {}
        for condition in conditions:
            for name, value in condition.items():
                said.setdefault(name, []).append(value)
        checks = [str(one) for one in said.get("check", [])]
        known = cast("list[str]", self._checks.options)  # pyright: ignore[reportUnknownMemberType]
        self._checks.set_options(  # pyright: ignore[reportUnknownMemberType]
            sorted({*known, *checks}), value=checks
        )
        self._must_change.value = ", ".join(map(str, said.get("must_change", [])))
        self._person.value = str(said.get("person", [""])[0])
        self._commit.value = bool(said.get("commit"))

    async def _start(self) -> None:
        visit, held = self._visit, self.conditions()
        wanted = self.what.jobs()
        if not wanted:
            visit.warn(visit.words("execute.nothing"))
            return
        if held:
            wanted = [job | {"conditions": held} for job in wanted]
        if self.what.by_template:  # what is chosen here goes before what the template says
            wanted = [job | self.place() for job in wanted]
        try:
            body = NewExecutions.model_validate(
                {
                    "prompts": wanted, "defaults": self.place(),
                    "max_running": int(self._at_once.value) if self._at_once.value else None,
                    "cap_usd": self._cap.value or None,
                }
            )  # fmt: skip
        except ValidationError as error:
            visit.complain(wrong(error))
            return
        queued: Queued | None = await visit.attempt(executions.start_executions, body=body)
        if queued is not None:
            visit.say(visit.words("execute.started", count=len(wanted)))
            await self._started(queued)

    async def _save(self) -> None:
        visit = self._visit
        chosen = self.what.template if self.what.by_template else None
        written = chosen.text if chosen else self.what.written
        if not written.strip():
            visit.warn(visit.words("execute.nothing"))
            return
        try:
            place = Place.model_validate(self.place())
        except ValidationError as error:
            visit.complain(wrong(error))
            return
        name = await offer_save(visit, written, chosen, place)
        if name is not None:
            await self.offer_templates(name)
            self.what.show(True)

    # Fields -----------------------------------------------------------------------------------------------------------

    def _select(self, name: str, options: dict[str, str], value: str) -> ui.select:
        said = self._visit.words(f"execute.{name}")
        made = ui.select(options, label=said, value=value).props("outlined dense options-dense")
        return attributed(made, aria_label=said)

    def _input(self, name: str) -> ui.input:
        said = self._visit.words(f"execute.{name}")
        return attributed(ui.input(said).props("outlined dense"), aria_label=said)

    def _number(self, name: str, value: float | None, props: str) -> ui.number:
        said = self._visit.words(f"execute.{name}")
        return attributed(ui.number(said, value=value).props(f"outlined dense {props}"), aria_label=said)
