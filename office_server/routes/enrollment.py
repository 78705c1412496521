"""How a machine joins an office: an admin asks for a code, the machine spends it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server.access import Admin
from office_server.routes.answers import Label
from office_server.services import ServicesDep
from shared.ids import ClientId, OfficeId

router = APIRouter(prefix="/api", tags=["enrolment"])


class EnrollmentCode(BaseModel):
    code: str = Field(examples=["7KQ2-M9FD"], description="shown this once; good for one machine")
    expires_at: datetime


class Join(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"code": "7KQ2-M9FD", "name": "macbook-3"}]}
    )

    code: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    name: Label


class Joined(BaseModel):
    """What the machine signs in to Supabase with from now on."""

    client_id: ClientId
    office_id: OfficeId
    office_name: str
    supabase_url: str
    publishable_key: str
    email: str
    password: str


@router.post("/offices/{office_id}/enrollments", status_code=201)
async def create_enrollment(access: Admin, services: ServicesDep) -> EnrollmentCode:
    """A code that lets one machine in within ten minutes."""
    code = await services.enrollment.invite(access.office.id, access.author)
    return EnrollmentCode(code=code.code, expires_at=code.expires_at)


@router.post("/enroll")
async def enroll(request: Request, services: ServicesDep, body: Join) -> Joined:
    """Spends a code. Takes no token: the code is the credential."""
    services.enroll_tries.note(request.client.host if request.client else "unknown")
    joined = await services.enrollment.join(body.code, body.name)
    return Joined(
        client_id=joined.client_id,
        office_id=joined.office.id,
        office_name=joined.office.name,
        supabase_url=str(services.settings.supabase_url).rstrip("/"),
        publishable_key=services.settings.publishable_key,
        email=joined.email,
        password=joined.password,
    )
