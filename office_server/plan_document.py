"""What people write to ask for a plan, as types: waves, epics, a graph of jobs, or prompts.

What becomes of it is in `plan_compile`.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from shared.ids import ClientId
from shared.payloads import PROMPT_MAX_BYTES, Name, Slug
from shared.states import FailurePolicy, LaneSessions, PlanKind

MOST_JOBS = 10_000


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("may hold only printable characters, on one line")
    return text


def _fits(text: str) -> str:
    if len(text.encode(errors="replace")) > PROMPT_MAX_BYTES:
        raise ValueError(f"is longer than {PROMPT_MAX_BYTES} bytes")
    return text


Title = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True), AfterValidator(_one_line)
]
Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S"), AfterValidator(_fits)]
Role = Annotated[Slug, Field(max_length=32)]
RetryKind = Literal["timeout", "died", "lost", "overload", "quota"]


class Written(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(Written):
    """Who works, and where. What is left out comes from what is around it, at last from the machine's policy."""

    role: Role | None = None
    agent: Annotated[Slug, Field(max_length=64)] | None = None
    model: Annotated[Name, Field(max_length=100)] | None = None
    mcp: Annotated[Slug, Field(max_length=64)] | None = None
    base: Annotated[Name, Field(max_length=200)] | None = Field(default=None, description="what a new branch begins at")
    client: ClientId | None = Field(default=None, description="the machine on which; without it, any that can")
    timeout_s: float | None = Field(default=None, ge=1, le=86_400, description="the session is interrupted after it")
    max_tries: int | None = Field(default=None, ge=1, le=10)
    max_rounds: int | None = Field(default=None, ge=0, le=20)


class JobText(Written):
    """A prompt, or a template with what is to be put into it."""

    prompt: Text | None = None
    template: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[1-9][0-9]{0,8})?$")
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict[str, str | int | float | bool])

    @model_validator(mode="after")
    def _one_of_both(self) -> "JobText":
        if (self.prompt is None) == (self.template is None):
            raise ValueError("needs a prompt, or a template and its parameters")
        if self.parameters and self.template is None:
            raise ValueError("parameters are for templates")
        return self


class Job(Place, JobText):
    name: Title | None = None
    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first")
    depends_on: list[str] = Field(default_factory=list[str], max_length=1000)
    conditions: list[dict[str, Any]] = Field(
        default_factory=list[dict[str, Any]], max_length=100, description="what must hold before it is done"
    )
    detail: dict[str, Any] = Field(default_factory=dict[str, Any], description="kept with it, for its maker")
    resume: Annotated[Name, Field(max_length=100)] | None = Field(
        default=None, description="the agent's own conversation to go on with"
    )
    task: Annotated[Slug, Field(max_length=64)] | None = Field(
        default=None, description="names its worktree, {role}/{task}, and its branch, agent/{role}-{task}"
    )
    worktree: Literal["own", "pool"] | None = Field(
        default=None, description="pool: any session of its role, of which nothing stays; prompts are so by default"
    )


class GraphJob(Job):
    lane: Title | None = Field(default=None, description="jobs of one lane share a worktree, one after another")


class Wave(Written):
    jobs: list[Job] = Field(min_length=1, max_length=MOST_JOBS)
    name: Title | None = None


def _wave_or_list(value: object) -> str:
    return "~list" if isinstance(value, list) else "~wave"


def _job_or_text(value: object) -> str:
    return "~text" if isinstance(value, str) else "~job"


# A tag begins with "~", so that the path of a problem can leave it out.
JobsOrWave = Annotated[
    Annotated[list[Job], Field(min_length=1), Tag("~list")] | Annotated[Wave, Tag("~wave")],
    Discriminator(_wave_or_list),
]
TextOrJob = Annotated[Annotated[Text, Tag("~text")] | Annotated[Job, Tag("~job")], Discriminator(_job_or_text)]


class Epic(Place):
    """One worktree, in which tasks are done strictly one after another: by priority, then as they stand here."""

    name: Title
    tasks: list[Job] = Field(min_length=1, max_length=MOST_JOBS)
    on_failure: FailurePolicy | None = None
    sessions: LaneSessions = LaneSessions.KEPT
    task: Annotated[Slug, Field(max_length=64)] | None = None
    resume: Annotated[Name, Field(max_length=100)] | None = None


class Lane(Place):
    name: Title
    on_failure: FailurePolicy | None = None
    sessions: LaneSessions = LaneSessions.KEPT
    task: Annotated[Slug, Field(max_length=64)] | None = None
    resume: Annotated[Name, Field(max_length=100)] | None = None


class Retry(Written):
    tries: int | None = Field(default=None, ge=1, le=10)
    kinds: list[RetryKind] | None = Field(default=None, description="which failures are tried again; never refusals")
    pauses_s: list[Annotated[float, Field(ge=0, le=86_400)]] | None = Field(default=None, min_length=1, max_length=10)


class PlanDocument(Written):
    """One of `waves`, `epics`, `jobs` and `prompts` says what there is to do."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "checkout",
                    "defaults": {"role": "BE", "agent": "shell"},
                    "waves": [[{"name": "schema", "prompt": "add the table"}], [{"name": "api", "prompt": "serve it"}]],
                }
            ]
        },
    )

    name: Title
    kind: PlanKind | None = None
    waves: list[JobsOrWave] | None = Field(default=None, min_length=1, max_length=1000)
    epics: list[Epic] | None = Field(default=None, min_length=1, max_length=1000)
    jobs: list[GraphJob] | None = Field(default=None, min_length=1, max_length=MOST_JOBS)
    lanes: list[Lane] | None = Field(default=None, max_length=MOST_JOBS, description="of a graph")
    prompts: list[TextOrJob] | None = Field(default=None, min_length=1, max_length=MOST_JOBS)
    defaults: Place = Field(default_factory=Place)
    max_running: int | None = Field(default=None, ge=1, le=1000, description="of its jobs at once; 10 by default")
    on_failure: FailurePolicy | None = None
    retry: Retry = Field(default_factory=Retry)
    keep_open: bool = Field(default=False, description="more jobs are to come; it ends by POST …/close")
    options: dict[str, Any] = Field(default_factory=dict[str, Any], description="kept with it, for its maker")

    @model_validator(mode="after")
    def _says_one_thing(self) -> "PlanDocument":
        given = [name for name in ("waves", "epics", "jobs", "prompts") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("needs one of waves, epics, jobs and prompts" + (f", not {given}" if given else ""))
        if self.lanes is not None and self.jobs is None:
            raise ValueError("lanes are for a graph of jobs")
        of_its_kind = PlanKind.GRAPH if given == ["jobs"] else PlanKind(given[0])
        if self.kind not in (None, of_its_kind, PlanKind.SPEC if self.jobs is not None else of_its_kind):
            raise ValueError(f'is of the kind "{of_its_kind}", not "{self.kind}"')
        self.kind = self.kind or of_its_kind
        return self
