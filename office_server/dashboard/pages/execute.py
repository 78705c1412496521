"""Prompts sent to agents: one or many at once, within limits; what is at work, live; what was, started again."""

from office_server.dashboard.bits import element
from office_server.dashboard.executing import Form
from office_server.dashboard.execution_detail import ExecutionDetail
from office_server.dashboard.execution_list import ExecutionList
from office_server.dashboard.feed import News
from office_server.dashboard.frame import page
from office_server.dashboard.visit import Visit
from office_server.routes import executions, personas
from office_server.routes.executions import Queued
from shared.ids import JobId


@page("execute", icon="play_circle", key="x")
async def execute(visit: Visit) -> None:
    found: personas.PersonaList = await visit.do(personas.list_personas)
    roles = {one.role: f"{one.role} · {one.name}" for one in found.personas}
    form: Form | None = None

    async def started(queued: Queued) -> None:
        await list_.refreshing.now()
        if len(queued.jobs) == 1:
            await detail.open(queued.jobs[0].id)

    may = visit.may(executions.start_executions)
    with element("div", "execute" if may else ""):
        if may:
            form = Form(visit, roles, started)
            await form.offer_templates()
        with element("div", "sections"):
            list_ = ExecutionList(visit, lambda job: detail.open(job))
    detail = ExecutionDetail(visit, form)

    def want(_: News) -> None:
        wanted = list_.sessions | detail.sessions
        if wanted != visit.wanted:
            visit.wanted = wanted
            visit.feed.poke()

    visit.on_news(want)
    await list_.refreshing.now()
    asked = visit.asked_for("job")
    if asked is not None:
        await detail.open(JobId(asked))
