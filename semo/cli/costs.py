"""`semo costs`: what was spent."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from semo import console
from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end


class By(StrEnum):
    DAY = "day"
    ROLE = "role"
    AGENT = "agent"
    MODEL = "model"
    AUTHOR = "author"
    CLIENT = "client"
    SESSION = "session"
    PLAN = "plan"
    JOB = "job"
    EXECUTION = "execution"
    TURN = "turn"


def costs(
    by: Annotated[By, typer.Option(help="What is summed up.")] = By.DAY,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far back.")] = 30,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what turns cost, as their agents told; the dearest first."""
    from semo.costs import draw_costs

    async def show() -> None:
        since = datetime.now(UTC) - timedelta(days=days)
        async with office_of(data) as api:
            found = await api.get("/costs", by=by.value, since=since.isoformat())
        console.machine(found) if as_json else draw_costs(by.value, found["costs"], days)

    run_to_end(show)
