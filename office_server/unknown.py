"""What somebody named and is not there, each with the advice where to look for what is."""

from uuid import UUID

from shared.errors import NotFound
from shared.ids import ApprovalId, ClientId, CommandId, ExecutionId, JobId, OfficeId, PlanId, SessionId


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


def plan(office_id: OfficeId, plan_id: PlanId) -> NotFound:
    return NotFound(
        f"There is no plan {plan_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/plans lists its plans, newest first",
        plan_id=str(plan_id),
    )


def job(office_id: OfficeId, job_id: JobId) -> NotFound:
    return NotFound(
        f"There is no job {job_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/jobs lists its jobs, newest first",
        job_id=str(job_id),
    )


def execution(office_id: OfficeId, execution_id: ExecutionId) -> NotFound:
    return NotFound(
        f"There is no execution {execution_id} in office {office_id}.",
        advice=f"GET /api/offices/{office_id}/executions lists its executions, newest first",
        execution_id=str(execution_id),
    )


def template(office_id: OfficeId, name: str) -> NotFound:
    return NotFound(
        f'There is no template "{name}" in office {office_id}.',
        advice=f"GET /api/offices/{office_id}/templates lists its templates; PUT …/templates/{name} makes this one",
        template=name,
    )


def spec_prompt(office_id: OfficeId, kind: str, version: int) -> NotFound:
    return NotFound(
        f"There is no version {version} of what office {office_id} tells agents in {kind}.",
        advice=f"GET /api/offices/{office_id}/spec-prompts/{kind}/versions lists those that there are",
        version=version,
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


def member(office_id: OfficeId, user_id: UUID) -> NotFound:
    return NotFound(
        f"There is no member {user_id} of office {office_id}.",
        advice=f"GET /api/offices/{office_id}/members lists its members",
        user_id=str(user_id),
    )


def address(path: str) -> NotFound:
    return NotFound(f"There is nothing at {path}.", advice="GET /api/openapi.json says what is where")
