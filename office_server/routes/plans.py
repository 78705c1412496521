"""Plans: made from YAML or JSON, looked at, paused, gone on with, cancelled; and their jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from office_server import unknown
from office_server.access import Access, Operator, Viewer
from office_server.plan_text import PlanText, read_plan
from office_server.routes.answers import IdempotencyKey
from office_server.routes.plan_answers import JobSeen, PlanRow, PlanSeen
from office_server.services import Services, ServicesDep
from shared.ids import JobId, PlanId
from shared.states import JobStatus, PlanStatus

router = APIRouter(prefix="/api/offices/{office_id}/plans", tags=["plans"])


class PlanBody(BaseModel):
    """A plan, as docs/plans.md describes it; whatever is wrong is answered with its path and line."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "name": "checkout",
                    "defaults": {"role": "BE"},
                    "waves": [[{"name": "schema", "prompt": "add it"}], [{"name": "api", "prompt": "serve it"}]],
                }
            ]
        },
    )

    name: str = Field(min_length=1, max_length=100)


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/PlanBody"}},
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}


class PlanList(BaseModel):
    plans: list[PlanRow]
    next: int | None = Field(description="give it as `before` for the next page; null: there is none")


class JobList(BaseModel):
    jobs: list[JobSeen]
    next: int | None = Field(description="give it as `after` for the next page; null: there is none")


class Added(BaseModel):
    job_ids: list[JobId]


class Deleted(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": True}]})

    deleted: bool


@router.post("", status_code=201, openapi_extra=_BODY)
async def create_plan(
    access: Operator, services: ServicesDep, request: Request, key: IdempotencyKey = None
) -> PlanSeen:
    """Makes a plan, all of it or nothing; its jobs start as dependencies and limits allow. See `docs/plans.md`."""
    plan = await services.planner.make(access.office.id, access.author, await _text(request), key)
    return PlanSeen.model_validate(await services.backend.plans.state(plan))


@router.get("")
async def list_plans(
    access: Viewer,
    services: ServicesDep,
    status: Annotated[list[PlanStatus] | None, Query()] = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PlanList:
    """Newest first."""
    found = await services.backend.plans.page(access.office.id, status, before, limit)
    return PlanList.model_validate({"plans": found, "next": found[-1]["seq"] if len(found) == limit else None})


@router.get("/{plan_id}")
async def get_plan(access: Viewer, services: ServicesDep, plan_id: PlanId) -> PlanSeen:
    """A plan with its progress, and that of its waves and lanes."""
    return PlanSeen.model_validate(await _plan(services, access, plan_id))


@router.delete("/{plan_id}")
async def delete_plan(access: Operator, services: ServicesDep, plan_id: PlanId) -> Deleted:
    """Removes a plan that is over, with its jobs and executions. Sessions, output and branches stay."""
    await _plan(services, access, plan_id)
    await services.backend.plans.steer(plan_id, "delete_plan")
    return Deleted(deleted=True)


@router.get("/{plan_id}/jobs")
async def list_plan_jobs(
    access: Viewer,
    services: ServicesDep,
    plan_id: PlanId,
    status: Annotated[list[JobStatus] | None, Query()] = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> JobList:
    """In their order, with why those that wait do."""
    await _plan(services, access, plan_id)
    found = await services.backend.plans.jobs(plan_id, after, limit, status)
    return JobList.model_validate({"jobs": found, "next": found[-1]["seq"] if len(found) == limit else None})


@router.post("/{plan_id}/jobs", status_code=201, openapi_extra=_BODY)
async def add_jobs(
    access: Operator, services: ServicesDep, plan_id: PlanId, request: Request, key: IdempotencyKey = None
) -> Added:
    """Puts the `jobs` and `lanes` of a graph into a plan that is there; they may build on those that it has."""
    await _plan(services, access, plan_id)
    made = await services.planner.add(access.office.id, plan_id, await _text(request), key)
    return Added.model_validate({"job_ids": made})


@router.post("/{plan_id}/pause")
async def pause_plan(access: Operator, services: ServicesDep, plan_id: PlanId) -> PlanSeen:
    """Nothing more of it starts; what runs goes on."""
    return await _steer(services, access, plan_id, "pause_plan")


@router.post("/{plan_id}/resume")
async def resume_plan(access: Operator, services: ServicesDep, plan_id: PlanId) -> PlanSeen:
    return await _steer(services, access, plan_id, "resume_plan")


@router.post("/{plan_id}/cancel")
async def cancel_plan(access: Operator, services: ServicesDep, plan_id: PlanId) -> PlanSeen:
    """Nothing more of it starts; what runs is interrupted."""
    return await _steer(services, access, plan_id, "cancel_plan")


@router.post("/{plan_id}/close")
async def close_plan(access: Operator, services: ServicesDep, plan_id: PlanId) -> PlanSeen:
    """No more jobs are to come: a plan that was kept open ends with the last that it has."""
    return await _steer(services, access, plan_id, "close_plan")


async def _text(request: Request) -> PlanText:
    return read_plan(await request.body(), request.headers.get("Content-Type", "application/json"))


async def _plan(services: Services, access: Access, plan_id: PlanId) -> dict[str, Any]:
    """Raises NotFound, also when it is one of another office."""
    found = await services.backend.plans.state(plan_id)
    if found["office_id"] != str(access.office.id):
        raise unknown.plan(access.office.id, plan_id)
    return found


async def _steer(services: Services, access: Access, plan_id: PlanId, function: str) -> PlanSeen:
    await _plan(services, access, plan_id)
    await services.backend.plans.steer(plan_id, function)
    services.scheduler.wake(access.office.id)
    return PlanSeen.model_validate(await services.backend.plans.state(plan_id))
