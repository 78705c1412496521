"""One plan: its progress, its jobs in lanes or as a graph, and what may be done with it as a whole."""

from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import Ago, State, attributed, button, element, empty, lead_to, link, text
from office_server.dashboard.dialogs import sure
from office_server.dashboard.job_detail import JobDialog
from office_server.dashboard.meter import Meter
from office_server.dashboard.plan_board import Board
from office_server.dashboard.plan_graph import MOST_JOBS, flow_chart
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.routes import plans as routes
from office_server.routes.plan_answers import JobSeen, PlanSeen
from shared.errors import OfficeError
from shared.ids import JobId, PlanId
from shared.states import JobStatus, PlanStatus

_PAGE = 200
_MOST = 1000
_DRAWING: dict[str, Any] = {
    "startOnLoad": False, "theme": "base", "flowchart": {"useMaxWidth": False, "curve": "basis"},
    "themeVariables": {"fontFamily": "system-ui, sans-serif", "fontSize": "14px"},
}  # fmt: skip
"""Its colours come from the style sheet, so that they follow the theme."""


class OnePlan:
    def __init__(self, visit: Visit, plan_id: PlanId) -> None:
        self._visit = visit
        self._id = plan_id
        self._many = _PAGE
        self._status = ""
        self._plan: PlanSeen | None = None
        self._jobs: list[JobSeen] = []
        self._drawn: ui.mermaid | None = None

    async def begin(self) -> None:
        visit, words = self._visit, self._visit.words
        with element("nav", "way"):
            link(words("plans.all"), visit.address("plans"))
        try:
            plan: PlanSeen = await visit.do(routes.get_plan, plan_id=self._id)
        except OfficeError as error:
            empty(words.of("error", error.code), error.detail)
            return
        self._plan = plan
        self._build(plan)
        self._job = JobDialog(visit)
        self._board = Board(visit, self._lanes, self._job.open)
        self._refreshing = Refreshing(visit, self.refresh)
        await self._refreshing.now()
        job = visit.asked_for("job")
        if job is not None:
            await self._job.open(JobId(job))

    async def refresh(self) -> None:
        plan: PlanSeen = await self._visit.do(routes.get_plan, plan_id=self._id)
        found: routes.JobList = await self._visit.do(
            routes.list_plan_jobs, plan_id=self._id, limit=self._many,
            status=[JobStatus(self._status)] if self._status else None,
        )  # fmt: skip
        if self._lanes.is_deleted:
            return
        steered = self._plan is None or plan.status != self._plan.status
        self._plan, self._jobs = plan, found.jobs
        self._state.become(plan.status, self._visit.words.of("plan_status", plan.status))
        self._meter.show(plan.progress)
        self._board.show(plan, found.jobs)
        self._nothing.set_visibility(not found.jobs)
        self._more.set_visibility(found.next is not None and self._many < _MOST)
        if steered:
            self._build_actions(plan)
        self._draw()

    # What is in it ----------------------------------------------------------------------------------------------------

    def _build(self, plan: PlanSeen) -> None:
        words = self._visit.words
        with element("header", "sheet plan-head"):
            with element("div", "top"):
                text("h2", plan.name)
                self._state = State(plan.status, words.of("plan_status", plan.status))
                text("span", words.of("plan_kind", plan.kind), "quiet")
                if plan.author:
                    text("span", plan.author, "quiet")
                Ago(plan.created_at, "quiet")
                self._actions = element("div", "does")
            self._meter = Meter(words, plan.name)
        self._build_actions(plan)
        with element("div", "tools"):
            self._switch = {
                name: button(words(f"plans.as_{name}"), partial(self._choose, name), "button switch")
                for name in ("lanes", "graph")
            }
            options = {"": words("plans.every_status")}
            options |= {str(one): words.of("job_status", one) for one in JobStatus}
            statuses = ui.select(options, value="", on_change=self._chose_status)
            attributed(statuses.props("outlined dense options-dense"), aria_label=words("plans.status"))
        self._views = {"lanes": element("div"), "graph": element("div")}
        with self._views["lanes"]:
            self._lanes = element("div", "lanes")
            self._nothing = empty(words("plans.no_jobs"))
            with element("div", "does more") as self._more:
                button(words("commands.more"), self._show_more)
        with self._views["graph"]:
            self._graph = element(
                "div", "sheet graph scroll", tabindex="0", role="region", aria_label=words("plans.as_graph")
            )
        self._choose(self._visit.query.get("view", "lanes"), note=False)

    def _build_actions(self, plan: PlanSeen) -> None:
        visit, words = self._visit, self._visit.words
        self._actions.clear()
        if not visit.may(routes.pause_plan):
            return
        with self._actions:
            if plan.status is PlanStatus.RUNNING:
                button(words("plans.pause"), lambda: self._steer(routes.pause_plan))
            if plan.status is PlanStatus.PAUSED:
                button(words("plans.resume"), lambda: self._steer(routes.resume_plan), "button first")
            if plan.status in (PlanStatus.RUNNING, PlanStatus.PAUSED):
                button(words("plans.cancel"), self._cancel, "button danger")
            else:
                button(words("plans.delete"), self._delete, "button danger")

    def _draw(self) -> None:
        """The graph is drawn where it is looked at, and again when it is another one."""
        if self._plan is None or not self._views["graph"].visible or self._status:
            return
        words = self._visit.words
        if len(self._jobs) > MOST_JOBS or self._plan.progress.total > len(self._jobs):
            if self._drawn is not None or not self._graph.default_slot.children:
                self._drawn = None
                self._graph.clear()
                with self._graph:
                    empty(words("plans.too_many", most=MOST_JOBS))
            return
        chart = flow_chart(self._plan, self._jobs, lambda number: words("plans.wave", number=number))
        if self._drawn is None:
            self._graph.clear()
            with self._graph:
                self._drawn = ui.mermaid(chart, config=_DRAWING, on_node_click=lambda event: self._clicked(event))
        elif self._drawn.content != chart:
            self._drawn.content = chart

    # What is done -----------------------------------------------------------------------------------------------------

    async def _steer(self, route: Any) -> None:
        await self._visit.attempt(route, "do.saved", plan_id=self._id)
        await self._refreshing.now()

    async def _cancel(self) -> None:
        words = self._visit.words
        if await sure(words, words("plans.cancel_sure"), words("plans.cancel_what"), words("plans.cancel")):
            await self._steer(routes.cancel_plan)

    async def _delete(self) -> None:
        words = self._visit.words
        if await sure(
            words, words("plans.delete_sure"), words("plans.delete_what"), words("plans.delete")
        ) and await self._visit.attempt(routes.delete_plan, plan_id=self._id):
            lead_to(self._visit.address("plans", view=None))

    async def _clicked(self, event: Any) -> None:
        place = str(event.node_id).rpartition("-")[2].removeprefix("j")
        if place.isdecimal() and int(place) < len(self._jobs):
            await self._job.open(self._jobs[int(place)].id)

    # What is chosen ---------------------------------------------------------------------------------------------------

    def _choose(self, name: str, *, note: bool = True) -> None:
        chosen = name if name in self._views else "lanes"
        for one, view in self._views.items():
            view.set_visibility(one == chosen)
        for one, made in self._switch.items():
            attributed(made, aria_pressed=str(one == chosen).lower()).update()
        if note:
            self._visit.note(view=chosen)
        self._draw()

    async def _chose_status(self, event: Any) -> None:
        self._status = event.value
        await self._refreshing.now()

    async def _show_more(self) -> None:
        self._many = min(self._many + _PAGE, _MOST)
        await self._refreshing.now()
