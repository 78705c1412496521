"""What a client and those who sit at its machine say to each other over its local socket, part by part.

Plain and small: a window reads these many times a second, and holds them for hours.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

VERSION = 1
"""Goes up when a client and a window of different versions would misunderstand each other."""

AskedStatus = Literal["running", "done", "failed", "given_back"]


@dataclass(frozen=True)
class LocalOffice:
    """An office that this machine serves."""

    office_id: str
    name: str


@dataclass(frozen=True)
class ClientState:
    """How the client stands. Times are ISO 8601 in UTC. `places`: sessions in use at once, at most."""

    client_id: str
    name: str
    version: str
    pid: int
    connection: str
    connection_since: str
    offices: list[LocalOffice]
    places: int
    places_taken: int
    paused_since: str | None
    state_folder: str
    stuck: bool = False
    """The journal cannot be written: nothing is taken or typed until it can."""
    started_at: str = ""


@dataclass(frozen=True)
class LocalSession:
    """A session on this machine. `doing`: the prompt that runs there, cut short."""

    session_id: str
    office_id: str
    role: str
    agent: str
    pool: str
    status: str
    branch: str
    worktree: str
    pid: int
    cols: int
    rows: int
    held: bool
    doing: str
    kept_here: list[str] = field(default_factory=list[str])
    """Why what its agent asks leave for may be answered in its terminal only."""


@dataclass(frozen=True)
class Asked:
    """A command of an office, one attempt of it, and what came of it here."""

    command_id: str
    attempt: int
    office_id: str
    session_id: str | None
    kind: str
    text: str
    author: str
    at: str
    status: AskedStatus
    ended_at: str | None = None
    error_code: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class LocalApproval:
    """An action that an agent asks leave for. `digest` names all of it, to the byte; so has the answer to."""

    approval_id: str
    office_id: str
    session_id: str
    role: str
    agent: str
    tool: str
    input: Any
    folder: str
    digest: str
    at: str
    told: bool
    """The office has it, which has to take the answer."""


@dataclass(frozen=True)
class LocalQuestion:
    question_id: str
    office_id: str
    session_id: str
    role: str
    text: str
    options: list[str]


@dataclass(frozen=True)
class LocalPolicy:
    """The policy file as it is, the rules of it that are in force, and why the file is not if it is not."""

    path: str
    text: str
    rules: list[tuple[str, str]]
    problem: str | None


@dataclass(frozen=True)
class Snapshot:
    """All that a client tells of itself."""

    state: ClientState
    sessions: list[LocalSession]
    asked: list[Asked]
    approvals: list[LocalApproval]
    questions: list[LocalQuestion]
    policy: LocalPolicy


_T = TypeVar("_T")


def read_as(kind: type[_T], told: dict[str, Any]) -> _T:
    """A message as it was told; what only a newer side says is passed over.

    Raises:
        TypeError: something is missing.
    """
    known = {one.name for one in fields(kind)}  # pyright: ignore[reportArgumentType]
    return kind(**{name: value for name, value in told.items() if name in known})


def read_part(name: str, told: Any) -> Any:
    """A part of a snapshot, by its name there; None when there is no such part."""
    match name:
        case "state":
            return read_as(ClientState, told | {"offices": [read_as(LocalOffice, one) for one in told["offices"]]})
        case "sessions":
            return [read_as(LocalSession, one) for one in told]
        case "asked":
            return [read_as(Asked, one) for one in told]
        case "approvals":
            return [read_as(LocalApproval, one) for one in told]
        case "questions":
            return [read_as(LocalQuestion, one) for one in told]
        case "policy":
            policy = read_as(LocalPolicy, told)
            return LocalPolicy(
                policy.path, policy.text, [(name, value) for name, value in policy.rules], policy.problem
            )
        case _:
            return None
