"""`semo budget`: caps on what may be spent."""

from math import isfinite
from typing import Annotated
from urllib.parse import quote

import typer

from semo import console
from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end
from semo.office_api import OfficeApi
from shared.states import BudgetPeriod, BudgetScope

group = typer.Typer(name="budget", help="Caps on what may be spent.", no_args_is_help=True)

Scope = Annotated[BudgetScope, typer.Argument(help="What the cap is on.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help='Of the role, agent or plan, the id of the job, or "all".'),
]
Per = Annotated[BudgetPeriod, typer.Option(help="A day of UTC, or all time.")]


def _amount(usd: float | None) -> float | None:
    if usd is not None and not isfinite(usd):
        raise typer.BadParameter("must be an amount of dollars")
    return usd


@group.command(name="list")
def list_budgets(data: Data = None, as_json: Json = False) -> None:
    """Show all caps, and what counts against them until now."""
    from semo.costs import draw_budgets

    async def show() -> None:
        async with office_of(data) as api:
            found = await api.get("/budgets")
        console.machine(found) if as_json else draw_budgets(found["budgets"])

    run_to_end(show)


@group.command(name="set")
def set_budget(
    scope: Scope,
    name: Name,
    usd: Annotated[float | None, typer.Option(callback=_amount, help="So many US dollars.")] = None,
    tokens: Annotated[int | None, typer.Option(help="So many tokens, cached reads aside.")] = None,
    per: Per = BudgetPeriod.DAY,
    data: Data = None,
) -> None:
    """Set a cap. Once it is reached no further turn begins, and what waits says so."""

    async def put() -> None:
        async with office_of(data) as api:
            named = await _named(api, scope, name)
            found = await api.put(f"/budgets/{scope}/{named}/{per}", {"cap_usd": usd, "cap_tokens": tokens})
        console.good(found["words"])

    run_to_end(put)


@group.command(name="remove")
def remove_budget(scope: Scope, name: Name, per: Per = BudgetPeriod.DAY, data: Data = None) -> None:
    """Take a cap away; what it held goes on."""

    async def delete() -> None:
        async with office_of(data) as api:
            await api.delete(f"/budgets/{scope}/{await _named(api, scope, name)}/{per}")
        console.good(f"there is no cap on {scope} {name} any more")

    run_to_end(delete)


async def _named(api: OfficeApi, scope: BudgetScope, name: str) -> str:
    """As the office knows it: plans by their ids, the whole office as `all`."""
    from semo import plan as plans

    if scope is BudgetScope.PLAN and len(name) != len(
        "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
    ):  # the plan of a cap may be gone
        return str((await plans.resolve(api, name))["id"])
    return quote(name, safe="")
