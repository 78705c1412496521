"""The jobs of a plan in their waves, epics and lanes: how far each is, and why each job waits that does."""

from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import State, element, text
from office_server.dashboard.meter import Meter
from office_server.dashboard.visit import Visit
from office_server.dashboard.waits import why
from office_server.routes.plan_answers import JobSeen, PlanSeen, Progress
from shared.ids import JobId
from shared.states import PlanKind

Open = Callable[[JobId], Any]
_PLACE = tuple[int, str]


class Board:
    """Built anew only when other jobs are to be shown; what changes in them changes in place."""

    def __init__(self, visit: Visit, box: ui.element, open_job: Open) -> None:
        self._visit = visit
        self._box = box
        self._open = open_job
        self._jobs: dict[JobId, _Job] = {}
        self._meters: dict[_PLACE, Meter] = {}

    def show(self, plan: PlanSeen, jobs: list[JobSeen]) -> None:
        if [job.id for job in jobs] != list(self._jobs):
            self._build(plan, jobs)
        for job in jobs:
            self._jobs[job.id].show(job)
        for stage in plan.stages:
            self._show_meter((stage.stage, ""), stage)
        for lane in plan.lanes:
            self._show_meter((0, lane.name), lane)

    def _show_meter(self, place: _PLACE, progress: Progress) -> None:
        if place in self._meters:
            self._meters[place].show(progress)

    def _build(self, plan: PlanSeen, jobs: list[JobSeen]) -> None:
        self._box.clear()
        self._jobs, self._meters = {}, {}
        known = {lane.name: lane for lane in plan.lanes}
        places: dict[_PLACE, list[JobSeen]] = {}
        for job in jobs:
            place = (job.stage, "") if plan.kind is PlanKind.WAVES else (0, job.lane if job.lane in known else "")
            places.setdefault(place, []).append(job)
        for job in jobs:  # their order on the page is that of the answer
            self._jobs[job.id] = _Job(self._visit, job.id, self._open)
        with self._box:
            for place, inside in sorted(places.items(), key=lambda one: (one[0][0], one[0][1] == "")):
                lane = known.get(place[1])
                name = self._name_of(plan, place)
                with element("section", "sheet lane", aria_label=name):
                    with element("header", "head"):
                        text("h3", name)
                        if lane is not None:
                            text("span", " · ".join(part for part in (lane.role, lane.agent) if part), "quiet")
                        if place[1] or plan.kind is PlanKind.WAVES:
                            self._meters[place] = Meter(self._visit.words, name)
                    with element("ol", "jobs"):
                        for job in _in_order(inside) if place[1] else inside:
                            self._jobs[job.id].build(job)

    def _name_of(self, plan: PlanSeen, place: _PLACE) -> str:
        if plan.kind is PlanKind.WAVES:
            return self._visit.words("plans.wave", number=place[0] + 1)
        return place[1] or self._visit.words("plans.jobs")


def _in_order(jobs: list[JobSeen]) -> list[JobSeen]:
    """As a lane does them."""
    return sorted(jobs, key=lambda job: (-job.priority, job.seq))


class _Job:
    def __init__(self, visit: Visit, job_id: JobId, open_job: Open) -> None:
        self._visit = visit
        self._id = job_id
        self._open = open_job
        self._shown: JobSeen | None = None

    def build(self, job: JobSeen) -> None:
        opens = partial(self._open, self._id)
        address = self._visit.address(plan=job.plan_id, job=self._id)
        with element("li", "job", data_item=""):
            with element("div", "top"):
                made = text("a", job.name, "name", href=address, data_press="o")
                made.on("click.prevent", opens, args=[])
                self._state = State(job.status, "")
            with element("p", "quiet by"):
                text("span", " · ".join(part for part in (job.role, job.agent) if part))
                self._priority = text("span", "", "priority")
            self._why = text("p", "", "why")

    def show(self, job: JobSeen) -> None:
        if job == self._shown:
            return
        self._shown = job
        words = self._visit.words
        self._state.become(job.status, words.of("job_status", job.status))
        self._priority.show(f"{words('job.priority')} {job.priority:+d}" if job.priority else "")
        self._why.show(why(words, job))
