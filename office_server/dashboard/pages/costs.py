"""What the office has spent: by day, role, agent and plan, against its caps; and the caps themselves."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nicegui import ui

from office_server.backend.costs import Budget, By, Cost
from office_server.dashboard.bits import Text, attributed, element, text
from office_server.dashboard.budgets import Budgets, Names
from office_server.dashboard.charts import Bar, Chart, Measure, amount, by_day, every_day, side_by_side
from office_server.dashboard.frame import page
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.routes import costs as routes
from office_server.routes import personas, plans
from office_server.rows import Persona
from shared.states import BudgetPeriod, BudgetScope

_SPANS: dict[str, int | None] = {"today": 1, "week": 7, "month": 30, "quarter": 90, "all": None}
_SIDES: tuple[tuple[By, BudgetScope | None], ...] = (
    ("role", BudgetScope.ROLE), ("agent", BudgetScope.AGENT), ("plan", BudgetScope.PLAN), ("author", None),
)  # fmt: skip
_MOST_BARS = 8
_MOST_DAYS = 366


@page("costs", icon="payments", key="o")
async def costs(visit: Visit) -> None:
    found: personas.PersonaList = await visit.do(personas.list_personas)
    shown = _Costs(visit, found.personas)
    await shown.refreshing.now()


class _Costs:
    def __init__(self, visit: Visit, roles: list[Persona]) -> None:
        self._visit = visit
        self._roles = roles
        self._shown: object = None
        words = visit.words
        self._span = visit.query.get("span", "month") if visit.query.get("span") in _SPANS else "month"
        self._measure: Measure = "tokens" if visit.query.get("in") == "tokens" else "cost_usd"
        with element("div", "tools"):
            spans = ui.select(
                {one: words(f"spending.{one}") for one in _SPANS}, value=self._span, on_change=self._chose_span
            )
            attributed(spans.props("outlined dense options-dense"), aria_label=words("spending.span"))
            measures = ui.select(
                {"cost_usd": words("spending.in_usd"), "tokens": words("spending.in_tokens")}, value=self._measure,
                on_change=self._chose_measure,
            )  # fmt: skip
            attributed(measures.props("outlined dense options-dense"), aria_label=words("spending.measure"))
        with element("div", "sections"):
            with element("div", "numbers"):
                self._numbers = {name: self._number(name) for name in ("sum", "today_sum", "turns", "each")}
            with element("section", "charts", aria_label=words("spending.charts")):
                table, value, cap = words("spending.as_table"), words("spending.spent"), words("spending.cap")
                none = words("spending.nothing")
                self._days = Chart(words("spending.by_day"), table, (words("spending.day"), value, cap), none)
                with element("div", "chart-pair"):
                    self._sides = {
                        by: Chart(words(f"spending.by_{by}"), table, (words(f"spending.{by}"), value, cap), none)
                        for by, _ in _SIDES
                    }
            text("p", words("spending.honest"), "quiet small")
            self._budgets = Budgets(visit)
        self.refreshing = Refreshing(visit, self.refresh)

    def _number(self, name: str) -> Text:
        with element("div", "sheet number"):
            made = text("span", "–", "value")
            text("span", self._visit.words(f"spending.{name}"), "quiet")
        return made

    async def refresh(self) -> None:
        since = self._since()
        days, caps = await self._summed("day", since, _MOST_DAYS), await self._caps()
        sides = await asyncio.gather(*(self._summed(by, since, _MOST_BARS) for by, _ in _SIDES))
        asked = (self._span, self._measure, days, caps, sides)
        if asked == self._shown or self._days.is_deleted:
            return
        self._shown = asked
        self._show_numbers(days)
        self._show_days(days, caps, since)
        for (by, scope), found in zip(_SIDES, sides, strict=True):
            bars = [Bar(one.label, self._of(one), self._cap_of(caps, scope, one.key)) for one in found]
            self._sides[by].show(side_by_side(bars), bars, self._measure, rows=len(bars))
        self._budgets.show(caps, await self._names(sides[2]))

    async def _caps(self) -> list[Budget]:
        found: routes.BudgetList = await self._visit.do(routes.list_budgets)
        return found.budgets

    async def _summed(self, by: By, since: datetime | None, limit: int) -> list[Cost]:
        found: routes.CostList = await self._visit.do(routes.list_costs, by=by, since=since, limit=limit)
        return found.costs

    def _since(self) -> datetime | None:
        days = _SPANS[self._span]
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return None if days is None else today - timedelta(days=days - 1)

    # What is shown ----------------------------------------------------------------------------------------------------

    def _show_numbers(self, days: list[Cost]) -> None:
        total, turns = sum(self._of(day) for day in days), sum(day.turns for day in days)
        today = sum(self._of(day) for day in days if day.key == datetime.now(UTC).date().isoformat())
        self._numbers["sum"].show(amount(total, self._measure))
        self._numbers["today_sum"].show(amount(today, self._measure))
        self._numbers["turns"].show(f"{turns:,}")
        self._numbers["each"].show(amount(total / turns, self._measure) if turns else "–")

    def _show_days(self, days: list[Cost], caps: list[Budget], since: datetime | None) -> None:
        spent = {date.fromisoformat(day.key): self._of(day) for day in days}
        today = datetime.now(UTC).date()
        first = since.date() if since is not None else min(spent, default=today)
        first = max(first, today - timedelta(days=_MOST_DAYS))
        cap = self._cap(caps, BudgetScope.OFFICE, "", BudgetPeriod.DAY)
        bars = [Bar(bar.label, bar.value, cap) for bar in every_day(spent, first, today)]
        name = self._visit.words("spending.cap_line", cap=amount(cap or 0, self._measure))
        self._days.show(by_day(bars, cap, name), bars, self._measure, rows=None)

    def _cap_of(self, caps: list[Budget], scope: BudgetScope | None, key: str) -> float | None:
        """A cap counts for a day or for all time: it is shown only where the sums are of the same."""
        period = {"today": BudgetPeriod.DAY, "all": BudgetPeriod.TOTAL}.get(self._span)
        if scope is BudgetScope.PLAN:
            period = period or BudgetPeriod.TOTAL  # few plans last longer than what is looked at
        return self._cap(caps, scope, key, period) if scope is not None and period is not None else None

    def _cap(self, caps: list[Budget], scope: BudgetScope, name: str, period: BudgetPeriod) -> float | None:
        found = next((one for one in caps if (one.scope, one.name, one.period) == (scope, name, period)), None)
        if found is None:
            return None
        return found.cap_usd if self._measure == "cost_usd" else found.cap_tokens

    def _of(self, one: Cost) -> float:
        return one.cost_usd if self._measure == "cost_usd" else float(one.tokens)

    async def _names(self, of_plans: list[Cost]) -> Names:
        picture = self._visit.feed.picture
        machines = picture.machines if picture is not None else []
        agents = sorted({name for one in machines for name in one.capabilities.get("agents", {})})
        latest: plans.PlanList = await self._visit.do(plans.list_plans, limit=50)
        return {
            BudgetScope.ROLE: {one.role: f"{one.role} · {one.name}" for one in self._roles},
            BudgetScope.AGENT: {name: name for name in agents},
            BudgetScope.PLAN: {one.key: one.label for one in of_plans}
            | {str(one.id): f"{one.name} · {one.created_at:%d.%m. %H:%M}" for one in latest.plans},
        }

    # What is chosen ---------------------------------------------------------------------------------------------------

    async def _chose_span(self, event: Any) -> None:
        self._span = str(event.value)
        self._visit.note(span=self._span)
        await self.refreshing.now()

    async def _chose_measure(self, event: Any) -> None:
        self._measure = "tokens" if event.value == "tokens" else "cost_usd"
        self._visit.note(**{"in": "tokens" if self._measure == "tokens" else None})
        await self.refreshing.now()
