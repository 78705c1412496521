"""How a machine joins an office: an admin asks for a code, the machine spends it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server.access import Admin, Credentials
from office_server.invitation import PAGE, PAGE_POLICY, Invitation
from office_server.routes.answers import IdempotencyKey, Label
from office_server.services import ServicesDep
from office_server.tokens import PREFIX
from shared.ids import ClientId, OfficeId

router = APIRouter(tags=["enrolment"])


class EnrollmentCode(BaseModel):
    code: str = Field(examples=["7KQ2-M9FD"], description="shown this once; good for one machine")
    expires_at: datetime
    link: str = Field(
        examples=["https://office.example/join#7KQ2-M9FD"],
        description="a page with the command to copy; semo client join takes it, too. The code is in no log: it is"
        " behind the #",
    )
    command: str = Field(examples=["semo client join 7KQ2-M9FD --office-url https://office.example"])
    qr_svg: str = Field(examples=["<svg …>"], description="the link as a QR code")


class Join(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"code": "7KQ2-M9FD", "name": "macbook-3"}]}
    )

    code: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    name: Label


class Joined(BaseModel):
    """What the machine signs in to Supabase with from now on. One that showed who it is gets no new user."""

    client_id: ClientId
    office_id: OfficeId
    office_name: str
    supabase_url: str
    publishable_key: str
    email: str | None
    password: str | None


def _asked_at(request: Request) -> str:
    return str(request.base_url)


AskedAt = Annotated[str, Depends(_asked_at)]
"""The address at which the caller reaches this server."""


@router.post("/api/offices/{office_id}/enrollments", status_code=201)
async def create_enrollment(
    access: Admin, services: ServicesDep, asked_at: AskedAt, key: IdempotencyKey = None
) -> EnrollmentCode:
    """A code that lets one machine in within ten minutes: as text, as a link, as a command and as a picture.

    Asking again with the same key shows the same code again, until when it says; for a new one take a new key.
    """
    secret = services.once.secret("enrollment", access.office.id, key)
    code = await services.enrollment.invite(access.office.id, access.author, secret, key)
    # Where machines reach this server: as it was told, else as whoever asks does.
    invitation = Invitation(code.code, str(services.settings.public_url or asked_at).rstrip("/"))
    return EnrollmentCode(
        code=code.code,
        expires_at=code.expires_at,
        link=invitation.link,
        command=invitation.command,
        qr_svg=invitation.svg(),
    )


@router.post("/api/enroll")
async def enroll(request: Request, services: ServicesDep, body: Join, credentials: Credentials) -> Joined:
    """Spends a code, which is the credential. A machine that serves an office already sends its own Supabase access
    token as bearer, and serves this one, too, as the client that it is; its name stays.
    """
    services.enroll_tries.note(request.client.host if request.client else "unknown")
    # Who has a token of the API at hand may send it along; it says nothing of a machine.
    if credentials is not None and not credentials.credentials.startswith(PREFIX):
        joined = await services.enrollment.join_further(body.code, body.name, credentials.credentials)
    else:
        joined = await services.enrollment.join(body.code, body.name)
    return Joined(
        client_id=joined.client_id,
        office_id=joined.office.id,
        office_name=joined.office.name,
        supabase_url=str(services.settings.supabase_url).rstrip("/"),
        publishable_key=services.settings.publishable_key,
        email=joined.user.email if joined.user else None,
        password=joined.user.password if joined.user else None,
    )


@router.get("/join", include_in_schema=False)
async def join_page() -> HTMLResponse:
    """What the link of a code shows. The code stays in the browser."""
    return HTMLResponse(PAGE, headers=PAGE_POLICY)
