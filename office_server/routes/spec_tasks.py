"""Spec tasks: what is wanted, the documents that an agent writes for it, a person's verdict, and the work after it."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server.access import Access, Operator, Viewer
from office_server.asking import check_storable
from office_server.once import digest_of
from office_server.routes.answers import IdempotencyKey
from office_server.services import Services, ServicesDep
from office_server.spec_rows import SpecComment, SpecEvent, SpecTask, SpecVersion
from office_server.spec_tasks import prompts
from shared.errors import InvalidPayload
from shared.payloads import Name, Slug
from shared.states import SpecTaskStatus

router = APIRouter(prefix="/api/offices/{office_id}/spec-tasks", tags=["spec tasks"])

TaskInPath = Annotated[str, Path(description="its id or its name", pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$")]
Role = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
Template = Annotated[str, StringConstraints(min_length=1, max_length=65_536)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]


class NewSpecTask(BaseModel):
    """What is wanted. Templates are the prompts of its agents, with {{names}} that docs/spec-tasks.md lists."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"title": "Sign in", "description": "By e-mail.", "start": True}]},
    )

    title: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"\S")]
    description: Annotated[str, StringConstraints(max_length=65_536)] = ""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] | None = Field(
        default=None, description="of its folder and branch; made from the title when left out"
    )
    start: bool = Field(default=False, description="begin to plan at once")
    planning_role: Role | None = None
    work_role: Role | None = None
    agent: Annotated[Slug, Field(max_length=64)] | None = None
    model: Annotated[Name, Field(max_length=100)] | None = None
    mcp: Annotated[Slug, Field(max_length=64)] | None = None
    base: Annotated[Name, Field(max_length=200)] | None = None
    single_session: bool | None = Field(default=None, description="one session does all of tasks.md")
    planning_template: Template | None = None
    work_template: Template | None = None
    session_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    max_spawned: Annotated[int, Field(ge=0, le=100)] | None = None
    max_depth: Annotated[int, Field(ge=0, le=5)] | None = None


class NewComment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Text = Field(examples=["Which browsers?"])
    document: Annotated[str, StringConstraints(min_length=1, max_length=160)] | None = Field(
        default=None, examples=["requirements.md"]
    )
    line: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(default=None, examples=[12])


class SendBack(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"comments": [{"text": "Which?", "document": "design.md", "line": 3}]}]},
    )

    comments: Annotated[list[NewComment], Field(max_length=200)] = Field(default_factory=list[NewComment])


class NewWorkSession(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"\S")] = Field(
        examples=["Migrate the old sessions"]
    )
    prompt: Annotated[str, StringConstraints(max_length=32_768)] = Field(default="", examples=["Write the migration."])
    role: Role | None = Field(default=None, examples=["BE"])
    depends_on: Annotated[list[str], Field(max_length=50)] = Field(default_factory=list[str], examples=[["1.2"]])


class NewMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(min_length=1, max_length=8192)] = Field(
        examples=["The table is called users."]
    )
    to: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = Field(
        default=None, description="the label of a work session; null: all of the task"
    )


class SpecTaskState(SpecTask):
    """A spec task with its work sessions, why those wait that do, and how much is done."""

    branch: str
    folder: str
    percent: int
    sessions: list[dict[str, Any]]


class SpecTaskList(BaseModel):
    spec_tasks: list[SpecTask]


class VersionList(BaseModel):
    versions: list[SpecVersion]


class CommentList(BaseModel):
    comments: list[SpecComment]


class EventList(BaseModel):
    events: list[SpecEvent]


class Left(BaseModel):
    message_id: int


class Added(BaseModel):
    label: str
    role: str


@router.post("", status_code=201)
async def create_spec_task(
    access: Operator, services: ServicesDep, body: NewSpecTask, key: IdempotencyKey = None
) -> SpecTaskState:
    """Writes a task down, and has it planned when `start` says so. Asking again with the same key makes it once."""
    wishes = body.model_dump(exclude_none=True, exclude={"title", "name", "start"})
    check_storable(wishes | {"title": body.title}, "spec task")
    prompts.check(body.planning_template, prompts.PLANNING_NAMES, "planning_template")
    prompts.check(body.work_template, prompts.WORK_NAMES, "work_template")
    specs = services.backend.specs
    made = await specs.create(
        access.office.id, body.name or _name_from(body.title), body.title, wishes, access.author,
        key=key, digest=_digest(body),
    )  # fmt: skip
    if body.start and made.status is SpecTaskStatus.BACKLOG:
        await specs.call("start_spec_task", made.id, p_author=access.author)
        services.spec_keeper.wake(access.office.id)
    return SpecTaskState.model_validate(await specs.state(made.id))


@router.get("")
async def list_spec_tasks(
    access: Viewer, services: ServicesDep, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> SpecTaskList:
    """Newest first."""
    return SpecTaskList(spec_tasks=await services.backend.specs.page(access.office.id, limit))


@router.get("/{task}")
async def get_spec_task(access: Viewer, services: ServicesDep, task: TaskInPath) -> SpecTaskState:
    found = await services.backend.specs.find(access.office.id, task)
    return SpecTaskState.model_validate(await services.backend.specs.state(found.id))


@router.post("/{task}/start")
async def start_spec_task(access: Operator, services: ServicesDep, task: TaskInPath) -> SpecTaskState:
    """Has the documents written."""
    return await _moved(services, access, task, "start_spec_task")


@router.post("/{task}/retry")
async def retry_spec_task(access: Operator, services: ServicesDep, task: TaskInPath) -> SpecTaskState:
    """Goes on with one that failed: planning once more, or the work sessions that failed."""
    return await _moved(services, access, task, "retry_spec_task")


@router.post("/{task}/cancel")
async def cancel_spec_task(access: Operator, services: ServicesDep, task: TaskInPath) -> SpecTaskState:
    """Withdraws it; what runs is interrupted. Its branch and its documents stay."""
    return await _moved(services, access, task, "cancel_spec_task")


@router.get("/{task}/versions")
async def list_spec_versions(access: Viewer, services: ServicesDep, task: TaskInPath) -> VersionList:
    """Every version of its documents, with their text."""
    found = await services.backend.specs.find(access.office.id, task)
    return VersionList(versions=await services.backend.specs.versions(found.id))


@router.get("/{task}/versions/{version}")
async def get_spec_version(access: Viewer, services: ServicesDep, task: TaskInPath, version: int) -> SpecVersion:
    found = await services.backend.specs.find(access.office.id, task)
    return await services.backend.specs.version(found.id, version)


@router.post("/{task}/versions/{version}/approve")
async def approve_spec(access: Operator, services: ServicesDep, task: TaskInPath, version: int) -> SpecTaskState:
    """The work may begin. Refused when that version is no longer the newest."""
    return await _moved(services, access, task, "approve_spec", p_version=version)


@router.post("/{task}/versions/{version}/send-back")
async def send_back_spec(
    access: Operator, services: ServicesDep, task: TaskInPath, version: int, body: SendBack
) -> SpecTaskState:
    """Has it planned again, with these comments and those made before. There must be one."""
    comments = body.model_dump()["comments"]
    check_storable(comments, "comments")
    return await _moved(services, access, task, "send_back_spec", p_version=version, p_comments=comments)


@router.post("/{task}/versions/{version}/comments", status_code=201)
async def comment_spec(
    access: Operator,
    services: ServicesDep,
    task: TaskInPath,
    version: int,
    body: NewComment,
    key: IdempotencyKey = None,
) -> CommentList:
    """Comments on a version, on a document of it, or on one line of that."""
    check_storable(body.model_dump(), "comment")
    found = await services.backend.specs.find(access.office.id, task)
    await services.backend.specs.call(
        "comment_spec", found.id, p_version=version, p_text=body.text, p_document=body.document, p_line=body.line,
        p_author=access.author, p_key=key, p_digest=_digest(body),
    )  # fmt: skip
    return await list_spec_comments(access, services, task)


@router.get("/{task}/comments")
async def list_spec_comments(access: Viewer, services: ServicesDep, task: TaskInPath) -> CommentList:
    found = await services.backend.specs.find(access.office.id, task)
    return CommentList(comments=await services.backend.specs.comments(found.id))


@router.get("/{task}/events")
async def list_spec_events(
    access: Viewer, services: ServicesDep, task: TaskInPath, after: Annotated[int, Query(ge=0, le=2**53)] = 0
) -> EventList:
    """What its sessions and people did, at most 1000 events from behind `after`."""
    found = await services.backend.specs.find(access.office.id, task)
    return EventList(events=await services.backend.specs.events(found.id, after))


@router.post("/{task}/sessions", status_code=201)
async def add_spec_session(
    access: Operator, services: ServicesDep, task: TaskInPath, body: NewWorkSession, key: IdempotencyKey = None
) -> Added:
    """Adds a work session to a task that is worked on."""
    check_storable(body.model_dump(), "session")
    found = await services.backend.specs.find(access.office.id, task)
    wish = body.model_dump(exclude_none=True)
    made = await services.backend.specs.call(
        "add_spec_session", found.id, p_wish=wish, p_author=access.author, p_key=key, p_digest=_digest(body)
    )
    services.spec_keeper.wake(access.office.id)
    return Added(label=made["label"], role=made["role"])


@router.post("/{task}/messages", status_code=201)
async def leave_spec_message(
    access: Operator, services: ServicesDep, task: TaskInPath, body: NewMessage, key: IdempotencyKey = None
) -> Left:
    """Leaves a message for one work session, or for all."""
    check_storable(body.model_dump(), "message")
    found = await services.backend.specs.find(access.office.id, task)
    message = await services.backend.specs.call(
        "leave_spec_message", found.id, p_text=body.text, p_to=body.to, p_author=access.author, p_key=key,
        p_digest=_digest(body),
    )  # fmt: skip
    return Left(message_id=message)


async def _moved(services: Services, access: Access, task: str, function: str, **arguments: Any) -> SpecTaskState:
    specs = services.backend.specs
    found = await specs.find(access.office.id, task)
    await specs.call(function, found.id, p_author=access.author, **arguments)
    services.spec_keeper.wake(access.office.id)
    return SpecTaskState.model_validate(await specs.state(found.id))


def _digest(body: BaseModel) -> str:
    return digest_of(body.model_dump(mode="json"))


def _name_from(title: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", title.lower())[:40].strip("-")
    if not name:
        raise InvalidPayload("The title has no letters to make a name of.", advice='give it a "name"', field="name")
    return name
