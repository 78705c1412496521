"""Shows a person what was spent, and the caps on it. Draws what the office says; asks for nothing itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from semo import console

Row = Mapping[str, Any]


def draw_costs(by: str, costs: Sequence[Row], days: int) -> None:
    if not costs:
        console.step(f"no agent told of any cost in the last {days} days")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(by)
    for column in ("USD", "tokens", "read again", "turns"):
        table.add_column(column, justify="right")
    for cost in costs:
        table.add_row(Text(str(cost["label"])), *_amounts(cost))
    if len(costs) > 1:
        numbers = ("cost_usd", "tokens", "cache_read_tokens", "turns")
        table.add_row(Text("in all", "bold"), *_amounts({name: sum(one[name] for one in costs) for name in numbers}))
    console.table(table)


def _amounts(cost: Row) -> tuple[str, str, str, str]:
    return (
        f"{cost['cost_usd']:.2f}", f"{cost['tokens']:,}", f"{cost['cache_read_tokens']:,}", f"{cost['turns']:,}",
    )  # fmt: skip


def draw_budgets(budgets: Sequence[Row]) -> None:
    if not budgets:
        console.step("nothing is capped; cap it with: semo budget set role BE --usd 5")
    for budget in budgets:
        sign, style = ("✘", "red") if budget["reached"] else ("✔", "green")
        console.out.print(f"{sign} ", style=style, end="")
        console.out.print(budget["words"], markup=False)
