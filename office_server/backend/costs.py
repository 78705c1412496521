"""What turns cost and the caps on it, as the database sums them up."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from office_server.backend.connection import Connection
from shared.ids import OfficeId
from shared.states import BudgetPeriod, BudgetScope

By = Literal["day", "role", "agent", "model", "author", "client", "session", "plan", "job", "execution", "turn"]


class Cost(BaseModel):
    key: str
    label: str = Field(description="the key, or the name of what it stands for")
    cost_usd: float
    tokens: int = Field(description="what caps count: all but what was read again from a cache")
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    turns: int


class Budget(BaseModel):
    scope: BudgetScope
    name: str = Field(description="of the role or agent, or the id of the plan or job; empty for the whole office")
    label: str | None = Field(description="the name of the plan or job; null for what has no other, or is gone")
    period: BudgetPeriod = Field(description="days are those of UTC")
    cap_usd: float | None
    cap_tokens: int | None
    spent_usd: float
    spent_tokens: int
    reached: bool = Field(description="no further turn begins")
    words: str = Field(examples=["the cap of the role BE for today is reached: 5.12 of 5.00 USD"])
    set_by: str | None
    set_at: datetime


class Costs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def summed(
        self, office: OfficeId, by: By, since: datetime | None, until: datetime | None, limit: int
    ) -> list[Cost]:
        """The dearest first."""
        span: dict[str, Any] = {"p_from": since, "p_to": until}
        given = {name: moment.isoformat() for name, moment in span.items() if moment is not None}
        rows = await self._connection.call("sum_costs", p_office=str(office), p_by=by, p_limit=limit, **given)
        return [Cost.model_validate(row) for row in rows]

    async def budgets(self, office: OfficeId) -> list[Budget]:
        rows = await self._connection.call("list_budgets", p_office=str(office))
        return [Budget.model_validate(row) for row in rows]

    async def set_budget(
        self,
        office: OfficeId,
        scope: BudgetScope,
        name: str,
        period: BudgetPeriod,
        cap_usd: float | None,
        cap_tokens: int | None,
        by: str,
    ) -> Budget | None:
        """Both caps None: there is no such budget any more.

        Raises:
            InvalidPayload: a cap that is not above zero, or a role that the office does not know.
            NotFound: no such plan or job.
        """
        row = await self._connection.call(
            "set_budget",
            p_office=str(office),
            p_scope=scope.value,
            p_name=name,
            p_period=period.value,
            p_cap_usd=cap_usd,
            p_cap_tokens=cap_tokens,
            p_by=by,
        )
        return Budget.model_validate(row) if row is not None else None
