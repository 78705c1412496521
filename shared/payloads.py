"""What each command takes and answers, as types. The database checks the same by the table semo.payload_fields."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.ids import ByteOffset, SessionId, TurnId
from shared.states import CommandType, SessionStatus, TurnOutcome

PROMPT_MAX_BYTES = 262_144
OUTPUT_MAX_BYTES = 1_048_576

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@\[\]-]*$")]


class Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CreateSession(Payload):
    role: Annotated[Slug, Field(max_length=32)]
    agent: Annotated[Slug, Field(max_length=64)] | None = None
    model: Annotated[Name, Field(max_length=100)] | None = None
    mcp: Annotated[Slug, Field(max_length=64)] | None = None
    resume: Annotated[Name, Field(max_length=100)] | None = None
    task: Annotated[Slug, Field(max_length=64)] | None = None
    base: Annotated[Name, Field(max_length=200)] | None = None
    cols: Annotated[int, Field(ge=20, le=500)] | None = None
    rows: Annotated[int, Field(ge=5, le=300)] | None = None


class SendPrompt(Payload):
    text: Annotated[str, Field(min_length=1)]
    timeout_s: Annotated[float, Field(ge=1, le=86_400)] | None = None
    role: Annotated[Slug, Field(max_length=32)] | None = None
    agent: Annotated[Slug, Field(max_length=64)] | None = None


class SendText(Payload):
    text: Annotated[str, Field(min_length=1)]


class SendKeys(Payload):
    keys: Annotated[list[str], Field(min_length=1, max_length=100)]


class GetOutput(Payload):
    after: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=OUTPUT_MAX_BYTES)] | None = None


class Resize(Payload):
    cols: Annotated[int, Field(ge=20, le=500)]
    rows: Annotated[int, Field(ge=5, le=300)]


Spec = Annotated[Slug, Field(max_length=48)]
DOCUMENT_MAX_BYTES = 262_144
DOCUMENT_NAME = r"^([a-z][A-Za-z0-9_-]{0,59}/)?[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(md|json)$"
DocumentName = Annotated[str, StringConstraints(pattern=DOCUMENT_NAME)]


class ReadDocuments(Payload):
    """What lies in the folder of a spec task, at the tip of its branch."""

    spec: Spec


class WriteDocuments(Payload):
    """Documents to be committed into the folder of a spec task; `base`: where its branch begins, if it is not there."""

    spec: Spec
    documents: Annotated[dict[DocumentName, str], Field(min_length=1, max_length=200)]
    message: Annotated[str, Field(min_length=1)]
    base: Annotated[Name, Field(max_length=200)] | None = None


class MergeWork(Payload):
    """An agent's branch to be merged into the branch of a spec task."""

    spec: Spec
    branch: Annotated[Name, Field(max_length=200)]
    base: Annotated[Name, Field(max_length=200)] | None = None


_ONE_LINE = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_ONE_LINE)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=_ONE_LINE)]


class CheckWork(Payload):
    """What should hold in a session's worktree. `checks` are names that the machine knows; it is never told a command.

    `since`: the commit that the work began at; without it, where the branch left its base.
    """

    checks: Annotated[list[Annotated[Slug, Field(max_length=64)]], Field(max_length=20)] | None = None
    must_change: Annotated[list[Line], Field(max_length=50)] | None = None
    must_not_change: Annotated[list[Line], Field(max_length=50)] | None = None
    commit: bool | None = None
    since: Annotated[Name, Field(max_length=64)] | None = None
    timeout_s: Annotated[float, Field(ge=1, le=86_400)] | None = None


class ReadWork(Payload):
    """What a session's work changed, and the pictures that lie in it; or one of these, by its path in the worktree."""

    picture: Line | None = None


class PublishBranch(Payload):
    """Pushes a branch of ours, and opens a pull request when it has a title."""

    branch: Annotated[Name, Field(max_length=200)]
    base: Annotated[Name, Field(max_length=200)] | None = None
    title: Line | None = None
    body: Annotated[str, Field(min_length=1)] | None = None
    labels: Annotated[list[Label], Field(max_length=20)] | None = None


class FollowPullRequest(Payload):
    branch: Annotated[Name, Field(max_length=200)]
    base: Annotated[Name, Field(max_length=200)] | None = None


class MergeBranch(Payload):
    """Merges a branch of ours into its base, brought up to it first where that is needed."""

    branch: Annotated[Name, Field(max_length=200)]
    base: Annotated[Name, Field(max_length=200)] | None = None
    method: Literal["merge", "squash", "rebase"] | None = None
    keep_worktree: bool | None = None


class Nothing(Payload):
    """For commands that say all by their type: cancel, terminate, release_session."""


PAYLOADS: dict[CommandType, type[Payload]] = {
    CommandType.CREATE_SESSION: CreateSession,
    CommandType.SEND_PROMPT: SendPrompt,
    CommandType.SEND_TEXT: SendText,
    CommandType.SEND_KEYS: SendKeys,
    CommandType.GET_OUTPUT: GetOutput,
    CommandType.RESIZE: Resize,
    CommandType.CANCEL: Nothing,
    CommandType.TERMINATE: Nothing,
    CommandType.RELEASE_SESSION: Nothing,
    CommandType.READ_DOCUMENTS: ReadDocuments,
    CommandType.WRITE_DOCUMENTS: WriteDocuments,
    CommandType.MERGE_WORK: MergeWork,
    CommandType.CHECK_WORK: CheckWork,
    CommandType.READ_WORK: ReadWork,
    CommandType.PUBLISH_BRANCH: PublishBranch,
    CommandType.FOLLOW_PULL_REQUEST: FollowPullRequest,
    CommandType.MERGE_BRANCH: MergeBranch,
}


class SessionCreated(BaseModel):
    session_id: SessionId
    agent: str
    pid: int
    worktree_path: str
    branch: str
    status: SessionStatus


class TurnResult(BaseModel):
    """How a prompt ended and how that is known. Offsets are bytes of the session's output."""

    session_id: SessionId
    turn_id: TurnId
    outcome: TurnOutcome
    marker: bool
    evidence: list[dict[str, Any]]
    output_start: ByteOffset
    output_end: ByteOffset
    commits: list[str] = Field(default_factory=list)
    pull_requests: list[str] = Field(default_factory=list)
    cost_usd: float | None = None
    duration_s: float


class Output(BaseModel):
    output: str
    next: ByteOffset
    status: SessionStatus


class Documents(BaseModel):
    """The documents of a spec task at a commit. `skipped`: what lies there and could not be read, and why."""

    commit: str
    documents: dict[str, str]
    skipped: dict[str, str] = Field(default_factory=dict)


class Committed(BaseModel):
    """The tip of a spec task's branch; `changed`: whether it moved."""

    commit: str
    changed: bool


class Merged(Committed):
    """`conflicts`: files that keep the branch from being merged; then nothing has moved."""

    conflicts: list[str] = Field(default_factory=list)


class Moved(BaseModel):
    """What cancel, terminate and release_session answer."""

    status: SessionStatus | Literal["idle"]
