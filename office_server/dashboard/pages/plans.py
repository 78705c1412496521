"""The plans of the office with their progress; one of them opened; a new one applied; and the stop for everything."""

from datetime import datetime

from office_server.dashboard.applying import offer_apply
from office_server.dashboard.bits import Ago, State, button, element, empty, text
from office_server.dashboard.dialogs import sure
from office_server.dashboard.frame import page
from office_server.dashboard.meter import Meter
from office_server.dashboard.one_plan import OnePlan
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.routes import jobs
from office_server.routes import plans as routes
from office_server.routes.plan_answers import PlanRow
from shared.ids import PlanId

_PAGE = 30


@page("plans", icon="account_tree", key="l")
async def plans(visit: Visit) -> None:
    asked = visit.asked_for("plan")
    if asked is not None:
        one = OnePlan(visit, PlanId(asked))
        await one.begin()
        return
    list_ = _Plans(visit)
    await list_.refreshing.now()


class _Plans:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._many = _PAGE
        self._rows: dict[PlanId, _Plan] = {}
        words = visit.words
        with element("div", "tools"):
            if visit.may(routes.create_plan):
                button(words("plans.apply"), lambda: offer_apply(visit), "button first")
            element("span", "grow")
            if visit.may(jobs.stop_everything):
                button(words("plans.stop"), lambda: stop_everything(visit), "button danger")
        self._box = element("div", "plans")
        self._nothing = empty(words("plans.none"), words("plans.none_hint"))
        self._nothing.set_visibility(False)
        with element("div", "does more") as self._more:
            button(words("commands.more"), self._show_more)
        self._more.set_visibility(False)
        self.refreshing = Refreshing(visit, self.refresh)

    async def refresh(self) -> None:
        found: routes.PlanList = await self._visit.do(routes.list_plans, limit=self._many)
        if self._box.is_deleted:
            return
        if [plan.id for plan in found.plans] != list(self._rows):
            self._box.clear()
            with self._box:
                self._rows = {plan.id: _Plan(self._visit, plan) for plan in found.plans}
        for plan in found.plans:
            self._rows[plan.id].show(plan)
        self._nothing.set_visibility(not found.plans)
        self._more.set_visibility(found.next is not None and self._many < 200)

    async def _show_more(self) -> None:
        self._many = min(self._many + _PAGE, 200)
        await self.refreshing.now()


class _Plan:
    def __init__(self, visit: Visit, plan: PlanRow) -> None:
        self._visit = visit
        words = visit.words
        with element("article", "sheet card plan", data_item="", aria_label=plan.name):
            with element("div", "top"):
                with text("h2", "", "role"):
                    text("a", plan.name, href=visit.address(plan=plan.id), data_press="o")
                text("span", words.of("plan_kind", plan.kind), "where")
                self._state = State(plan.status, "")
            self._meter = Meter(words, plan.name)
            with element("div", "foot"):
                text("span", ", ".join(plan.roles))
                text("span", plan.author or "–")
                self._ago = Ago(None)

    def show(self, plan: PlanRow) -> None:
        self._state.become(plan.status, self._visit.words.of("plan_status", plan.status))
        self._meter.show(plan.progress)
        self._ago.show(_when(plan))


def _when(plan: PlanRow) -> datetime:
    return plan.finished_at or plan.created_at


async def stop_everything(visit: Visit) -> None:
    """Asked twice, as it ends all work of the office."""
    words = visit.words
    if not await sure(words, words("plans.stop_sure"), words("plans.stop_what"), words("plans.stop")):
        return
    picture = visit.feed.picture
    alive = sum(seen.ended_at is None for seen in picture.sessions) if picture is not None else 0
    if not await sure(words, words("plans.stop_twice"), words("plans.stop_again", sessions=alive), words("plans.stop")):
        return
    stopped: jobs.Stopped | None = await visit.attempt(jobs.stop_everything)
    if stopped is not None:
        said = words("plans.stopped", plans=stopped.plans, commands=stopped.commands, sessions=stopped.sessions)
        visit.say(said)
