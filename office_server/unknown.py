"""What somebody named and is not there, each with the advice where to look for what is."""

from uuid import UUID

from shared.errors import NotFound
from shared.ids import ApprovalId, ClientId, CommandId, OfficeId, SessionId


def office(office_id: OfficeId) -> NotFound:
    return NotFound(
        f"There is no office {office_id}.",
        advice="GET /api/offices lists those in which your token is valid",
        office_id=str(office_id),
    )


def session(office_id: OfficeId, session_id: SessionId) -> NotFound:
    return NotFound(
        f"There is no session {session_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/sessions lists its sessions; POST there makes one",
        session_id=str(session_id),
    )


def command(office_id: OfficeId, command_id: CommandId) -> NotFound:
    return NotFound(
        f"There is no command {command_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/commands lists its commands, newest first",
        command_id=str(command_id),
    )


def client(office_id: OfficeId, client_id: ClientId) -> NotFound:
    return NotFound(
        f"There is no client {client_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/clients lists its machines; POST …/enrollments lets another one in",
        client_id=str(client_id),
    )


def approval(office_id: OfficeId, approval_id: ApprovalId) -> NotFound:
    return NotFound(
        f"There is no approval {approval_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/approvals lists what waits for an answer",
        approval_id=str(approval_id),
    )


def persona(office_id: OfficeId, role: str) -> NotFound:
    return NotFound(
        f'There is no persona for the role "{role}" in office {office_id}.',
        advice=f"GET /api/offices/{office_id}/personas lists its roles; PUT …/personas/{role} makes this one",
        role=role,
    )


def token(office_id: OfficeId, token_id: UUID) -> NotFound:
    return NotFound(
        f"There is no token {token_id} of office {office_id}.",
        advice=f"GET /api/offices/{office_id}/tokens lists its tokens",
        token_id=str(token_id),
    )


def address(path: str) -> NotFound:
    return NotFound(f"There is nothing at {path}.", advice="GET /api/openapi.json says what is where")
