"""What the owner of this machine allows: read from a TOML file, checked, and asked before anything runs.

It may change while the client runs (`policy_watch`). The office can ask for names only; what a name stands for is said
here. docs/policy.md describes the file.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from remote_client.agent_tools.tools import ToolName
from remote_client.redaction import DEFAULT_PATTERNS, Rules, SecretPattern, secret_values
from remote_client.toml_lines import line_of
from shared.errors import InvalidPayload, PolicyForbids
from shared.ids import OfficeId
from shared.payloads import PROMPT_MAX_BYTES

ALWAYS_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")


def _resolved(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or begin with ~")
    return path.resolve()


Folder = Annotated[Path, AfterValidator(_resolved)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Repository(_Section):
    """Which git repository the work of an office happens in. Without `office`: of every office."""

    office: str | None = None
    path: Folder
    workspace: Folder | None = None
    base: str | None = None
    checks_from_base: bool = False
    """Whether `.semo/checks.toml`, as it is committed on the base, may name further checks."""

    @property
    def worktrees(self) -> Path:
        return self.workspace or self.path.parent / f"{self.path.name}-worktrees"


PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk", "auto", "bypassPermissions"]


class AgentRule(_Section):
    """One agent that may run here. `command`: the program and its first arguments, instead of the adapter's own."""

    adapter: Literal["shell", "claude", "codex", "gemini", "opencode", "aider"] | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None
    enabled: bool = True
    memory_mb: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    """What a session of it takes; None: what its kind usually does."""
    environment: list[str] = Field(default_factory=list[str])
    """Variables that this agent alone gets, by name."""
    permission_mode: PermissionMode = "default"
    models: list[str] | None = None
    """Which models the office may ask for; None: any."""
    mcp: dict[str, Folder] = Field(default_factory=dict[str, Folder])
    """Files of MCP servers by the names under which the office may ask for them."""
    office_tools: list[ToolName] = Field(default_factory=lambda: list(get_args(ToolName)))
    """What the agent may call of its office from inside its session; none when it is empty."""
    trust_worktrees: bool = False
    """Whether the agent may be told that it can trust the worktrees that this client made."""


class Limits(_Section):
    max_sessions: Annotated[int, Field(ge=1, le=100)] = 6
    min_free_memory_mb: Annotated[int, Field(ge=0, le=1_048_576)] = 512
    prompt_max_bytes: Annotated[int, Field(ge=1, le=PROMPT_MAX_BYTES)] = PROMPT_MAX_BYTES
    run_time_s: Annotated[float, Field(ge=1, le=86_400)] = 3600


class RecordingRules(_Section):
    """What is kept of sessions that have ended. The oldest go first."""

    enabled: bool = True
    keep_days: Annotated[float, Field(gt=0, le=36_500)] = 30
    max_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 1000


CheckName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


class CheckRule(_Section):
    """A command that shows whether work holds: it runs in the worktree, and must end with status 0."""

    run: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=100)]
    timeout_s: Annotated[float, Field(ge=1, le=86_400)] = 600


class PullRequestRules(_Section):
    """What may leave this machine. `gh`: GitHub's command line, without which branches are pushed and no more."""

    push: bool = False
    merge: bool = False
    remote: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "origin"
    gh: Folder | None = None
    environment: list[str] = Field(default_factory=list[str])
    """Variables of which `gh` and git alone have need, by name."""


class WorkRules(_Section):
    """What the office may see of worktrees besides what is put out in terminals: the diff, and pictures."""

    show: bool = True


def _pattern(text: str) -> str:
    SecretPattern.read(text)
    return text


class RedactionRules(_Section):
    """What leaves this machine only as stars: whatever has the form of a secret, or is the value of a variable."""

    defaults: bool = True
    """Whether the forms of common keys are looked for."""
    patterns: Annotated[list[Annotated[str, AfterValidator(_pattern)]], Field(max_length=100)] = Field(
        default_factory=list[str]
    )
    environment: list[str] = Field(default_factory=list[str])
    """Variables whose values are kept back, besides those that agents get and whose name says that they are secret."""


class ApprovalRules(_Section):
    """Which requests of agents people may answer from outside of this machine; the others wait for its terminal."""

    remote: bool = True
    tools: list[str] | None = None
    """By their names, such as Bash; None: all."""

    def forbids(self, tool: str) -> str | None:
        """The rule by which a request of that tool is for the terminal alone; None when there is none."""
        if not self.remote:
            return "approvals.remote"
        return "approvals.tools" if self.tools is not None and tool not in self.tools else None


class Policy(_Section):
    """The whole file. Every path in it is absolute and has its symbolic links followed.

    Everybody holds the same one, and asks it each time: another version takes its place by `take_over`.
    """

    allowed_roots: Annotated[list[Folder], Field(min_length=1)]
    repositories: list[Repository] = Field(default_factory=list[Repository])
    agents: dict[str, AgentRule] = Field(default_factory=dict[str, AgentRule])
    default_agent: str | None = None
    environment: list[str] = Field(default_factory=list[str])
    limits: Limits = Field(default_factory=Limits)
    recordings: RecordingRules = Field(default_factory=RecordingRules)
    checks: dict[CheckName, CheckRule] = Field(default_factory=dict[CheckName, CheckRule])
    work: WorkRules = Field(default_factory=WorkRules)
    pull_requests: PullRequestRules = Field(default_factory=PullRequestRules)
    on_revoked: Literal["interrupt", "terminate", "finish"] = "interrupt"
    """What becomes of running turns when this machine is shut out of its office (`remote_client.revoked`)."""
    approvals: ApprovalRules = Field(default_factory=ApprovalRules)
    redaction: RedactionRules = Field(default_factory=RedactionRules)

    def take_over(self, new: "Policy") -> None:
        """Says from now on what `new` says."""
        vars(self).update(vars(new))

    def differs_in(self, other: "Policy") -> list[str]:
        """The settings of the first level that are not the same."""
        return [name for name in Policy.model_fields if getattr(self, name) != getattr(other, name)]

    def repository_for(self, office_id: OfficeId, office_name: str) -> Repository:
        """The repository of an office: the one that names it, else the one that names none.

        Raises:
            PolicyForbids: there is none.
        """
        for repository in self.repositories:
            if repository.office in (str(office_id), office_name):
                return repository
        for repository in self.repositories:
            if repository.office is None:
                return repository
        raise PolicyForbids(
            f'the policy of this machine names no repository for the office "{office_name}" (repositories)',
            advice=f'add [[repositories]] with office = "{office_name}" and a path',
        )

    def require_allowed(self, path: Path) -> Path:
        """The path with its links followed.

        Raises:
            PolicyForbids: it lies outside every allowed root.
        """
        real = path.expanduser().resolve()
        if not any(real.is_relative_to(root) for root in self.allowed_roots):
            roots = ", ".join(str(root) for root in self.allowed_roots)
            raise PolicyForbids(f"{real} lies outside allowed_roots ({roots}) of this machine's policy")
        return real

    def agent_named(self, name: str | None) -> tuple[str, AgentRule]:
        """The agent that a command names, or the default one.

        Raises:
            PolicyForbids: it is not allowed here.
        """
        wanted = name or self.default_agent
        if wanted is None:
            raise PolicyForbids("the policy of this machine has no default_agent, and the command names none")
        rule = self.agents.get(wanted)
        if rule is None or not rule.enabled:
            raise PolicyForbids(f'the policy of this machine does not allow the agent "{wanted}" ([agents.{wanted}])')
        return wanted, rule

    def require_session(self, agent: str, folder: Path) -> None:
        """A session that was begun under another version of the policy may still be typed to.

        Raises:
            PolicyForbids: its agent is allowed no longer, or its folder lies outside of every allowed root by now.
        """
        self.agent_named(agent)
        if not any(folder.is_relative_to(root) for root in self.allowed_roots):
            raise PolicyForbids(f"{folder} lies outside allowed_roots of this machine's policy by now")

    def tools_of(self, agent: str) -> list[ToolName]:
        """What an agent may call of its office."""
        rule = self.agents.get(agent)
        return rule.office_tools if rule is not None else []

    def require_prompt(self, text: str) -> None:
        size = len(text.encode(errors="replace"))
        if size > self.limits.prompt_max_bytes:
            raise PolicyForbids(
                f"the prompt is {size} bytes long; this machine's policy takes {self.limits.prompt_max_bytes}"
                " (limits.prompt_max_bytes)"
            )

    @property
    def variables(self) -> set[str]:
        """The names of all variables that what runs here may get besides `ALWAYS_PASSED`."""
        agents = (name for rule in self.agents.values() for name in rule.environment)
        return {*self.environment, *self.pull_requests.environment, *agents}

    def secrets(self, ambient: Mapping[str, str] = os.environ) -> Rules:
        """What must not leave this machine."""
        texts = [*(DEFAULT_PATTERNS if self.redaction.defaults else ()), *self.redaction.patterns]
        values = secret_values(self.variables, self.redaction.environment, ambient)
        return Rules([SecretPattern.read(text) for text in texts], values)

    def environment_for_agents(self, ambient: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What agents get of this process's environment: by name, nothing else."""
        names = {*ALWAYS_PASSED, *self.environment}
        return {name: value for name, value in ambient.items() if name in names or name.startswith("LC_")}


def load_policy(path: Path) -> Policy:
    """
    Raises:
        InvalidPayload: the file is not there, not TOML, or says something that it may not; names the line or field.
    """
    try:
        return parse_policy(path.read_text(), str(path))
    except FileNotFoundError:
        raise InvalidPayload(
            f"there is no policy file {path}", advice="docs/policy.md shows one to begin with"
        ) from None


def parse_policy(text: str, source: str) -> Policy:
    try:
        content: dict[str, Any] = tomllib.loads(text)
        policy = Policy.model_validate(content)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPayload(f"{source}: {error}") from error
    except ValidationError as error:
        problems = "; ".join(_complaint(text, problem["loc"], _words(problem)) for problem in error.errors())
        raise InvalidPayload(f"{source}: {problems}") from error
    if policy.default_agent is not None and policy.default_agent not in policy.agents:
        words = f"there is no [agents.{policy.default_agent}]"
        raise InvalidPayload(f"{source}: {_complaint(text, ('default_agent',), words)}")
    return policy


def _complaint(text: str, location: tuple[int | str, ...], words: str) -> str:
    line = line_of(text, location)
    return f"line {line}: {_place(location)}: {words}" if line is not None else f"{_place(location)}: {words}"


def _words(problem: Mapping[str, Any]) -> str:
    return "there is no such setting" if problem["type"] == "extra_forbidden" else str(problem["msg"])


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    return place.removeprefix(".") or "the file"
