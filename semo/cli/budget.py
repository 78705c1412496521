"""`semo budget`: caps on what may be spent."""

from typing import Annotated

import typer

from semo import console
from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end
from shared.states import BudgetPeriod, BudgetScope

group = typer.Typer(name="budget", help="Caps on what may be spent.", no_args_is_help=True)

Scope = Annotated[BudgetScope, typer.Argument(help="What the cap is on.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help='Of the role or agent, the id of the plan or job, or "all".'),
]
Per = Annotated[BudgetPeriod, typer.Option(help="A day of UTC, or all time.")]


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
    usd: Annotated[float | None, typer.Option(help="So many US dollars.")] = None,
    tokens: Annotated[int | None, typer.Option(help="So many tokens, cached reads aside.")] = None,
    per: Per = BudgetPeriod.DAY,
    data: Data = None,
) -> None:
    """Set a cap. Once it is reached no further turn begins, and what waits says so."""

    async def put() -> None:
        async with office_of(data) as api:
            found = await api.put(f"/budgets/{scope}/{name}/{per}", {"cap_usd": usd, "cap_tokens": tokens})
        console.good(found["words"])

    run_to_end(put)


@group.command(name="remove")
def remove_budget(scope: Scope, name: Name, per: Per = BudgetPeriod.DAY, data: Data = None) -> None:
    """Take a cap away; what it held goes on."""

    async def delete() -> None:
        async with office_of(data) as api:
            await api.delete(f"/budgets/{scope}/{name}/{per}")
        console.good(f"there is no cap on {scope} {name} any more")

    run_to_end(delete)
