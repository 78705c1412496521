"""Whether the server lives, whether it can work, and its numbers. Needs no token and shows nothing of any office."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from office_server.metrics import CONTENT_TYPE
from office_server.services import ServicesDep
from shared.errors import BackendDown, OfficeError
from shared.states import CommandStatus

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    ready: bool
    missing: list[str] = Field(examples=[["Supabase does not answer (ConnectError)."]])
    realtime: Literal["live", "polling", "idle", "off"] = Field(
        description="live: proven to flow for every office that somebody waits in; idle: nobody waits"
    )


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(services: ServicesDep, response: Response) -> Readiness:
    """The database answers and has what this version needs."""
    try:
        async with asyncio.timeout(5):
            missing = await services.backend.upkeep.missing()
    except OfficeError as error:
        missing = [error.detail]
    except TimeoutError:
        missing = [BackendDown.title]
    if missing:
        response.status_code = 503
    realtime = services.hints.standing if services.settings.realtime else "off"
    return Readiness(ready=not missing, missing=missing, realtime=realtime)


@router.get("/metrics", response_class=Response)
async def metrics(services: ServicesDep) -> Response:
    """For Prometheus."""
    numbers = services.metrics
    numbers.waiting.set(services.results.waiting)
    numbers.offices_live.set(len(services.hints.live))
    for status in (CommandStatus.PENDING, CommandStatus.PROCESSING):
        try:
            numbers.open_commands.labels(status).set(await services.backend.commands.count(status))
        except OfficeError:
            numbers.open_commands.labels(status).set(float("nan"))  # not known, which is not none
    return Response(numbers.text(), media_type=CONTENT_TYPE)
