"""Jobs of all plans: looked for, tried again, answered, dropped, hurried; how many run at once; the stop for all."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from office_server import unknown
from office_server.access import Access, Admin, Operator, Viewer
from office_server.plan_document import Role, Text
from office_server.routes.plan_answers import JobDetail, JobSeen
from office_server.services import Services, ServicesDep
from shared.ids import JobId
from shared.states import JobStatus

router = APIRouter(prefix="/api/offices/{office_id}", tags=["jobs"])


class JobHistory(BaseModel):
    jobs: list[JobSeen]
    next: int | None = Field(description="give it as `before` for the next page; null: there is none")


class Again(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: Text | None = Field(
        default=None,
        description="typed into the session that asked, instead of the prompt; the job goes on there",
        examples=["use the second one"],
    )


class Dropping(BaseModel):
    model_config = ConfigDict(extra="forbid")

    go_on: bool = Field(
        default=False,
        description="what waits for it goes on as if it were done; otherwise as after a failure",
        examples=[True],
    )


_AGAIN = Again()
_DROPPING = Dropping()


class JobChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    priority: int = Field(ge=-100, le=100, description="higher goes first", examples=[10])


class JobLimits(BaseModel):
    """How many jobs run at once in the office, and of which role; roles that are not named have no limit."""

    running: int = Field(examples=[3])
    roles: dict[str, int] = Field(examples=[{"QA": 1}])


class JobLimitsChange(BaseModel):
    """Whatever is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    running: int | None = Field(default=None, ge=1, le=1000, examples=[6])
    roles: dict[Role, Annotated[int, Field(ge=1, le=1000)]] | None = Field(default=None, examples=[{"QA": 1}])


class Stopped(BaseModel):
    """How many plans were cancelled, commands withdrawn, and sessions told to stop and end."""

    plans: int
    commands: int
    sessions: int


@router.get("/jobs")
async def search_jobs(
    access: Viewer,
    services: ServicesDep,
    search: Annotated[str, Query(max_length=1000, description='words, "exact words", -without, this or that')] = "",
    status: Annotated[list[JobStatus] | None, Query()] = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobHistory:
    """Jobs whose name or prompt has all of the words, newest first."""
    found = await services.backend.plans.search(access.office.id, search.replace("\0", " "), before, limit, status)
    return JobHistory.model_validate({"jobs": found, "next": found[-1]["seq"] if len(found) == limit else None})


@router.get("/jobs/{job_id}")
async def get_job(access: Viewer, services: ServicesDep, job_id: JobId) -> JobDetail:
    return JobDetail.model_validate(await _job(services, access, job_id))


@router.patch("/jobs/{job_id}")
async def change_job(access: Operator, services: ServicesDep, job_id: JobId, body: JobChange) -> JobDetail:
    """Changes its priority, as long as it is not over."""
    await _job(services, access, job_id)
    await services.backend.plans.hurry(job_id, body.priority)
    return await _moved(services, access, job_id)


@router.post("/jobs/{job_id}/retry")
async def retry_job(access: Operator, services: ServicesDep, job_id: JobId, body: Again = _AGAIN) -> JobDetail:
    """Tries a blocked, failed or cancelled job again, and with it what was skipped for it. With an answer, in the
    session that asked; otherwise in a fresh one."""
    await _job(services, access, job_id)
    await services.backend.plans.retry(job_id, body.answer)
    return await _moved(services, access, job_id)


@router.post("/jobs/{job_id}/drop")
async def drop_job(access: Operator, services: ServicesDep, job_id: JobId, body: Dropping = _DROPPING) -> JobDetail:
    """Withdraws a job; what runs of it is interrupted."""
    await _job(services, access, job_id)
    await services.backend.plans.drop(job_id, body.go_on)
    return await _moved(services, access, job_id)


@router.get("/job-limits")
async def get_job_limits(access: Viewer, services: ServicesDep) -> JobLimits:
    return JobLimits.model_validate(await services.backend.plans.limits(access.office.id))


@router.patch("/job-limits")
async def change_job_limits(access: Admin, services: ServicesDep, body: JobLimitsChange) -> JobLimits:
    found = await services.backend.plans.limits(access.office.id, body.running, body.roles)
    services.scheduler.wake(access.office.id)
    return JobLimits.model_validate(found)


@router.post("/stop")
async def stop_everything(access: Operator, services: ServicesDep) -> Stopped:
    """Cancels every plan, withdraws every command that nobody has taken, interrupts every session, then ends it.

    Asking again stops what has come up since.
    """
    stopped = await services.backend.plans.stop(access.office.id, access.author)
    services.scheduler.wake(access.office.id)
    return Stopped.model_validate(stopped)


async def _job(services: Services, access: Access, job_id: JobId) -> dict[str, Any]:
    """Raises NotFound, also when it is one of another office."""
    found = await services.backend.plans.job(job_id)
    if found["office_id"] != str(access.office.id):
        raise unknown.job(access.office.id, job_id)
    return found


async def _moved(services: Services, access: Access, job_id: JobId) -> JobDetail:
    services.scheduler.wake(access.office.id)
    return JobDetail.model_validate(await services.backend.plans.job(job_id))
