"""Costs and budgets: what was spent, by whom and on what; and the caps before which the next turn stops."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from office_server.access import Admin, Viewer
from office_server.backend.costs import Budget, By, Cost
from office_server.services import ServicesDep
from shared.errors import InvalidPayload, NotFound
from shared.states import BudgetPeriod, BudgetScope

router = APIRouter(prefix="/api/offices/{office_id}", tags=["costs"])
WHOLE_OFFICE = "all"
"""Stands for the name that the budget of the whole office does not have."""

Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f/]+$",
        description=f"of the role or agent, the id of the plan or job, or `{WHOLE_OFFICE}` for the whole office",
        examples=["BE"],
    ),
]


class Caps(BaseModel):
    """At least one of the two."""

    model_config = ConfigDict(extra="forbid")

    cap_usd: Annotated[float, Field(le=1e9, allow_inf_nan=False)] | None = Field(default=None, examples=[5])
    cap_tokens: Annotated[int, Field(le=10**15)] | None = None


class CostList(BaseModel):
    by: By
    costs: list[Cost]


class BudgetList(BaseModel):
    budgets: list[Budget]


@router.get("/costs")
async def list_costs(
    access: Viewer,
    services: ServicesDep,
    by: Annotated[By, Query(description="what is summed up")] = "day",
    since: Annotated[AwareDatetime | None, Query(description="from this moment on")] = None,
    until: Annotated[AwareDatetime | None, Query(description="before this moment")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> CostList:
    """What turns cost, as far as their agents told; the dearest first."""
    return CostList(by=by, costs=await services.backend.costs.summed(access.office.id, by, since, until, limit))


@router.get("/budgets")
async def list_budgets(access: Viewer, services: ServicesDep) -> BudgetList:
    """All caps, with what counts against them until now."""
    return BudgetList(budgets=await services.backend.costs.budgets(access.office.id))


@router.put("/budgets/{scope}/{name}/{period}")
async def put_budget(
    access: Admin, services: ServicesDep, scope: BudgetScope, name: Name, period: BudgetPeriod, caps: Caps
) -> Budget:
    """Sets a cap. Once it is reached no further turn begins: prompts are refused, jobs are blocked, and both say so."""
    if caps.cap_usd is None and caps.cap_tokens is None:
        raise InvalidPayload("a budget needs cap_usd or cap_tokens", advice="DELETE takes a budget away")
    found = await services.backend.costs.set_budget(
        access.office.id, scope, _name(name), period, caps.cap_usd, caps.cap_tokens, access.author
    )
    assert found is not None  # noqa: S101  one with a cap is there
    return found


@router.delete("/budgets/{scope}/{name}/{period}", status_code=204)
async def delete_budget(
    access: Admin, services: ServicesDep, scope: BudgetScope, name: Name, period: BudgetPeriod
) -> None:
    """Takes a cap away; what it held goes on."""
    costs = services.backend.costs
    there = any(
        (one.scope, one.name.lower(), one.period) == (scope, _name(name).lower(), period)
        for one in await costs.budgets(access.office.id)
    )
    if not there:
        raise NotFound(
            f"There is no budget of {scope} {name} for {period}.",
            advice=f"GET /api/offices/{access.office.id}/budgets lists those that there are",
        )
    await costs.set_budget(access.office.id, scope, _name(name), period, None, None, access.author)


def _name(name: str) -> str:
    return "" if name == WHOLE_OFFICE else name
