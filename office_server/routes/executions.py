"""Executions: single prompts that are queued and run as jobs, each attempt with an id, events and an end of its own."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from office_server import unknown
from office_server.access import Access, Operator, Viewer
from office_server.execution_stream import execution_stream
from office_server.plan_document import MOST_JOBS, Place, PlanDocument, TextOrJob, Title
from office_server.planning import text_of
from office_server.routes.answers import IdempotencyKey
from office_server.routes.plan_answers import ExecutionSeen, JobSeen
from office_server.services import Services, ServicesDep
from shared.ids import ExecutionId, JobId, PlanId
from shared.states import BudgetPeriod, BudgetScope, ExecutionStatus, PlanKind

router = APIRouter(prefix="/api/offices/{office_id}/executions", tags=["executions"])
_ACTIVE = [ExecutionStatus.PENDING, ExecutionStatus.RUNNING]


class NewExecutions(BaseModel):
    """One prompt or many. One that names a model, MCP servers, a task, a base or a conversation to resume gets a
    session of its own; otherwise any of its role will do."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"prompts": ["make test", {"template": "review", "parameters": {"file": "a.py"}}],
                          "defaults": {"role": "QA"}}]
        },
    )  # fmt: skip

    prompts: list[TextOrJob] = Field(min_length=1, max_length=MOST_JOBS)
    defaults: Place = Field(default_factory=Place)
    name: Title = "prompts"
    max_running: int | None = Field(default=None, ge=1, le=1000)
    cap_usd: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = Field(
        default=None, description="once they have cost so much together, no further one begins"
    )


class Queued(BaseModel):
    """The plan that they are in, and the first of their jobs; `execution` is there once it has started."""

    plan_id: PlanId
    jobs: list[JobSeen]


class ExecutionList(BaseModel):
    executions: list[ExecutionSeen]
    next: int | None = Field(description="give it as `before` for the next page; null: there is none")


class Cleaned(BaseModel):
    removed: int


@router.post("", status_code=201)
async def start_executions(
    access: Operator, services: ServicesDep, body: NewExecutions, key: IdempotencyKey = None
) -> Queued:
    """Puts prompts into the queue; they start as limits allow. Of many, the first 100 jobs are answered."""
    document = PlanDocument(
        name=body.name,
        kind=PlanKind.PROMPTS,
        prompts=body.prompts,
        defaults=body.defaults,
        max_running=body.max_running,
    )
    plan = await services.planner.make(access.office.id, access.author, text_of(document), key)
    if body.cap_usd is not None:
        # Nothing is spent yet, so that it does not matter whether the first have begun.
        await services.backend.costs.set_budget(
            access.office.id, BudgetScope.PLAN, str(plan), BudgetPeriod.TOTAL, body.cap_usd, None, access.author
        )
    await services.backend.plans.schedule(access.office.id)
    jobs = await services.backend.plans.jobs(plan, 0, 100, None)
    return Queued.model_validate({"plan_id": plan, "jobs": jobs})


@router.get("")
async def list_executions(
    access: Viewer,
    services: ServicesDep,
    status: Annotated[list[ExecutionStatus] | None, Query()] = None,
    active: Annotated[bool, Query(description="only those that are pending or running")] = False,
    plan_id: PlanId | None = None,
    job_id: JobId | None = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ExecutionList:
    """Newest first."""
    found = await services.backend.plans.executions(
        access.office.id, statuses=_ACTIVE if active else status, plan=plan_id, job=job_id, before=before, limit=limit
    )
    return ExecutionList.model_validate(
        {"executions": found, "next": found[-1]["seq"] if len(found) == limit else None}
    )


@router.delete("")
async def clean_executions(access: Operator, services: ServicesDep, before: AwareDatetime) -> Cleaned:
    """Removes executions that ended before that time, but for the latest of each job."""
    return Cleaned(removed=await services.backend.plans.clean(access.office.id, before))


@router.get("/{execution_id}")
async def get_execution(access: Viewer, services: ServicesDep, execution_id: ExecutionId) -> ExecutionSeen:
    return ExecutionSeen.model_validate(await _execution(services, access, execution_id))


@router.post("/{execution_id}/kill", status_code=202)
async def kill_execution(access: Operator, services: ServicesDep, execution_id: ExecutionId) -> ExecutionSeen:
    """Interrupts it; it is `killed` as soon as its session stands still, and its job is cancelled."""
    await _execution(services, access, execution_id)
    await services.backend.plans.kill(execution_id)
    services.scheduler.wake(access.office.id)
    return ExecutionSeen.model_validate(await services.backend.plans.execution(execution_id))


@router.get("/{execution_id}/events", response_class=StreamingResponse)
async def follow_execution(access: Viewer, services: ServicesDep, execution_id: ExecutionId) -> StreamingResponse:
    """Server-sent events of this execution alone, from its beginning to its end: `started`, `running`, `output`,
    `error`, then `completed`, `failed` or `killed`."""
    await _execution(services, access, execution_id)
    return StreamingResponse(
        execution_stream(services, access.office.id, execution_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _execution(services: Services, access: Access, execution_id: ExecutionId) -> dict[str, Any]:
    """Raises NotFound, also when it is one of another office."""
    found = await services.backend.plans.execution(execution_id)
    if found["office_id"] != str(access.office.id):
        raise unknown.execution(access.office.id, execution_id)
    return found
