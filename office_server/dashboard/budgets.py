"""The caps of the office: how much of each is used, and setting, changing and removing them for those who may."""

from functools import partial

from nicegui import ui
from pydantic import ValidationError

from office_server.backend.costs import Budget
from office_server.dashboard.bits import State, attributed, button, element, empty, text
from office_server.dashboard.charts import amount
from office_server.dashboard.dialogs import sure
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.routes import costs
from shared.states import BudgetPeriod, BudgetScope

Names = dict[BudgetScope, dict[str, str]]
"""What a cap can be on, by its scope: the name or id → as people read it."""


class Budgets:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._names: Names = {}
        self._shown: list[Budget] | None = None
        words = visit.words
        with element("section", aria_label=words("spending.caps")):
            with element("div", "tools"):
                text("h2", words("spending.caps"), "grow")
                if visit.may(costs.put_budget):
                    button(words("spending.cap_new"), partial(self._edit, None), "button first")
            self._box = element("div", "caps")

    def show(self, found: list[Budget], names: Names) -> None:
        self._names = names
        if found == self._shown:
            return
        self._shown = found
        words = self._visit.words
        self._box.clear()
        with self._box:
            for one in sorted(found, key=lambda one: (not one.reached, -_share(one), one.scope, one.name)):
                self._cap(one)
            if not found:
                empty(words("spending.no_caps"), words("spending.no_caps_hint"))

    def _cap(self, one: Budget) -> None:
        words, name = self._visit.words, self._name(one)
        share = _share(one)
        with element("article", "sheet cap", aria_label=name):
            with element("div", "top"):
                text("h3", name)
                text("span", words.of("budget_period", one.period), "quiet")
                if one.reached:
                    State("failed", words("spending.reached"))
                elif share >= 0.8:
                    State("pending", words("spending.nearly"))
            tone = "bad" if one.reached else "ask" if share >= 0.8 else "good"
            bar = element(
                "div", f"cap-bar {tone}", role="progressbar", aria_label=name, aria_valuemin=0, aria_valuemax=100,
                aria_valuenow=round(min(share, 1) * 100),
            )  # fmt: skip
            bar.style(f"--share: {min(share, 1) * 100:.1f}%")
            if one.cap_usd is not None:
                spent, cap = amount(one.spent_usd, "cost_usd"), amount(one.cap_usd, "cost_usd")
                text("p", words("spending.of_cost_usd", spent=spent, cap=cap))
            if one.cap_tokens is not None:
                spent, cap = amount(one.spent_tokens, "tokens"), amount(one.cap_tokens, "tokens")
                text("p", words("spending.of_tokens", spent=spent, cap=cap))
            if one.set_by:
                text("p", words("spending.set_by", by=one.set_by), "quiet small")
            if self._visit.may(costs.put_budget):
                with element("div", "does"):
                    button(words("spending.change"), partial(self._edit, one))
                    button(words("spending.remove"), partial(self._remove, one), "button danger")

    def _name(self, one: Budget) -> str:
        words = self._visit.words
        known = self._names.get(one.scope, {}).get(one.name)
        scope = words.of("budget_scope", one.scope)
        return scope if one.scope is BudgetScope.OFFICE else f"{scope} {known or one.name[:40]}"

    # What is done -----------------------------------------------------------------------------------------------------

    def _edit(self, known: Budget | None) -> None:
        words = self._visit.words
        title = words("spending.cap_new" if known is None else "spending.change")
        scope_now = known.scope if known else BudgetScope.OFFICE
        with attributed(ui.dialog(), aria_label=title) as dialog, element("div", "sheet panel"):
            text("h2", title)
            if known is not None:
                text("p", self._name(known))
            scopes = {
                str(one): words.of("budget_scope", one) for one in BudgetScope if one is not BudgetScope.JOB or known
            }
            scope = self._select("scope", scopes, str(scope_now))
            name = self._select("name", self._names.get(scope_now, {}), known.name if known and known.name else None)
            periods = {str(one): words.of("budget_period", one) for one in BudgetPeriod}
            period = self._select("period", periods, str(known.period if known else BudgetPeriod.DAY))
            usd = self._number("usd", known.cap_usd if known else None).props("prefix=$")
            tokens = self._number("tokens", known.cap_tokens if known else None)

            def chose() -> None:
                options = self._names.get(BudgetScope(str(scope.value)), {})
                name.set_options(  # pyright: ignore[reportUnknownMemberType]
                    options, value=next(iter(options), None)
                )
                name.set_visibility(scope.value != BudgetScope.OFFICE)

            scope.on_value_change(chose)
            name.set_visibility(scope_now is not BudgetScope.OFFICE)
            for field in (scope, name, period):
                field.set_enabled(known is None)

            async def save() -> None:
                wanted = BudgetScope(str(scope.value))
                on = costs.WHOLE_OFFICE if wanted is BudgetScope.OFFICE else str(name.value or "")
                if not on:
                    self._visit.warn(words("spending.no_name"))
                    return
                try:
                    caps = costs.Caps(cap_usd=usd.value or None, cap_tokens=int(tokens.value) if tokens.value else None)
                except ValidationError as error:
                    self._visit.complain(wrong(error))
                    return
                saved = await self._visit.attempt(
                    costs.put_budget, "do.saved", scope=wanted, name=on, period=BudgetPeriod(str(period.value)),
                    caps=caps,
                )  # fmt: skip
                if saved is not None:
                    dialog.close()

            with element("div", "does"):
                button(words("frame.cancel"), dialog.close)
                button(words("do.save"), save, "button first")
        dialog.open()

    async def _remove(self, one: Budget) -> None:
        words = self._visit.words
        if await sure(words, words("spending.remove_sure"), words("spending.remove_what"), words("spending.remove")):
            await self._visit.attempt(
                costs.delete_budget, "do.saved", scope=one.scope, name=one.name or costs.WHOLE_OFFICE,
                period=one.period,
            )  # fmt: skip

    def _select(self, name: str, options: dict[str, str], value: str | None) -> ui.select:
        said = self._visit.words(f"spending.{name}")
        made = ui.select(options if value is None or value in options else {**options, value: value}, label=said,
                         value=value)  # fmt: skip
        return attributed(made.props("outlined dense options-dense"), aria_label=said)

    def _number(self, name: str, value: float | None) -> ui.number:
        said = self._visit.words(f"spending.{name}")
        return attributed(ui.number(said, value=value, min=0).props("outlined dense"), aria_label=said)


def _share(one: Budget) -> float:
    """How much of it is used; of two caps the one that is nearer."""
    of_money = one.spent_usd / one.cap_usd if one.cap_usd else 0.0
    return max(of_money, one.spent_tokens / one.cap_tokens if one.cap_tokens else 0.0)
