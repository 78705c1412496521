"""Turns what people write into plans that run, once per Idempotency-Key. What it is made of is in `plan_compile`."""

import asyncio
import secrets
from typing import Any

from office_server import unknown
from office_server.backend import Backend
from office_server.once import digest_of
from office_server.plan_compile import compile_plan, templates_of
from office_server.plan_document import Place, PlanDocument
from office_server.plan_text import BadPlan, PlanText, problem
from office_server.prompt_templates import Template
from office_server.scheduler import Scheduler
from office_server.spec_rows import PromptTemplate
from office_server.waiting import without_repository
from shared.ids import OfficeId, PlanId


class Planner:
    def __init__(self, backend: Backend, scheduler: Scheduler) -> None:
        self._backend = backend
        self._scheduler = scheduler

    async def make(self, office: OfficeId, author: str, text: PlanText, key: str | None) -> PlanId:
        """
        Raises:
            BadPlan: with everything that is wrong; nothing of it was made.
            InvalidPayload: jobs wait for each other in a circle, which is named.
            Conflict: the key was used for another plan.
        """
        compiled = await self._compiled(office, text)
        digest = _digest(text.document)
        made = await self._backend.plans.make(office, compiled, author, key, digest)
        self._scheduler.wake(office)
        return made

    async def add(self, office: OfficeId, plan: PlanId, text: PlanText, key: str | None) -> list[str]:
        """Puts the jobs of a graph into a plan that is there, on whose jobs they may depend. Their ids, in their order.

        Raises:
            BadPlan: with everything that is wrong; nothing of it was made.
            Conflict: the key was used for other jobs of this plan.
        """
        compiled = await self._compiled(office, text, added=True)
        digest = _digest(text.document)
        made = await self._backend.plans.add_jobs(plan, compiled["jobs"], compiled["lanes"], key, digest)
        self._scheduler.wake(office)
        return [str(job) for job in made]

    async def template(self, office: OfficeId, name: str) -> PromptTemplate:
        """`name`, or `name@version`. Raises NotFound."""
        found = _version(await self._backend.plans.templates(office, name.partition("@")[0]), name)
        if found is None:
            raise unknown.template(office, name)
        return found

    async def _compiled(self, office: OfficeId, text: PlanText, *, added: bool = False) -> dict[str, Any]:
        personas = await self._backend.personas.in_use(office)
        roles = {persona.role.lower(): persona.role for persona in personas}
        templates: dict[str, Template] = {}
        for name in sorted(templates_of(text.document)):
            row = _version(await self._backend.plans.templates(office, name.partition("@")[0]), name)
            if row is not None:
                templates[name] = as_template(row)
        if lacking := await self._backend.clients.lend_nothing(office):
            told = ", ".join(without_repository(name, repository) for name, repository in lacking.items())
            raise BadPlan([problem((), f"no machine has the repository of this office: {told}", text.lines)])
        # Thousands of jobs take a while, and others want something of this server meanwhile.
        return await asyncio.to_thread(compile_plan, text, roles, templates, secrets.token_hex(3), added=added)


def as_template(row: PromptTemplate) -> Template:
    return Template(row.name, row.version, row.text, row.parameters, Place.model_validate(row.defaults))


def text_of(document: PlanDocument) -> PlanText:
    """Of a document that nobody wrote as text."""
    return PlanText(document, {})


def _version(versions: list[PromptTemplate], name: str) -> PromptTemplate | None:
    wanted = name.partition("@")[2]
    return next((one for one in versions if not wanted or one.version == int(wanted)), None)


def _digest(document: PlanDocument) -> str:
    return digest_of(document.model_dump(mode="json", exclude_none=True))
