"""One session: an agent in its terminal, in a worktree, for a role. Its making and ending are in `session_maker`."""

import time
from asyncio import Event, Task
from dataclasses import dataclass, field, replace

from remote_client.agents.adapter import AgentAdapter, AgentDriver
from remote_client.commands import Holder
from remote_client.git_head import GitHead
from remote_client.persona_worn import WornPersona
from remote_client.terminals import FIRST_BYTE
from remote_client.touches import Touches
from remote_client.worktrees import Worktree, Worktrees
from shared.ids import ByteOffset, OfficeId, SessionId
from shared.states import SessionPool, SessionStatus

DEFAULT_COLS, DEFAULT_ROWS = 120, 40


@dataclass(frozen=True)
class SessionRequest:
    """What a session is to be. `task` and `base` name its worktree; without a task it gets one of the pool's."""

    office_id: OfficeId
    role: str
    agent: str | None = None
    task: str | None = None
    base: str | None = None
    cols: int = DEFAULT_COLS
    rows: int = DEFAULT_ROWS
    pool: SessionPool = SessionPool.COLD
    model: str | None = None
    mcp: str | None = None
    resume: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether any session of the role and agent will do."""
        return self == self.plain()

    def plain(self) -> "SessionRequest":
        """The same without what one caller alone wanted."""
        return replace(self, task=None, base=None, model=None, mcp=None, resume=None)


@dataclass(eq=False)
class Session:
    session_id: SessionId
    request: SessionRequest
    agent: str
    adapter: AgentAdapter
    worktrees: Worktrees
    worktree: Worktree
    persona: WornPersona
    cols: int
    rows: int
    status: SessionStatus = SessionStatus.CREATING
    held_by: Holder | None = None
    """The attempt in whose hands it is; None while it is idle in the pool, or on its way back there."""
    ending: bool = False
    """Its terminal is being ended on purpose."""
    end_wanted: bool = False
    """Somebody asked for its end: what it was doing is not to be done again."""
    pid: int = 0
    idle_since: float = field(default_factory=time.monotonic)
    _driver: AgentDriver | None = None
    _head: GitHead | None = None
    follower: Task[None] | None = None
    last_hook: int = 0
    """The number of the last hook event that its driver has heard."""
    touches: Touches = field(default_factory=Touches)
    kept_here: dict[int, str] = field(default_factory=dict[int, str])
    """What its agent asks leave for and only its terminal may answer, by the numbers of the requests, and why so."""
    settled: Event = field(default_factory=Event)
    """Set while no turn runs, and `status` is true."""

    def __post_init__(self) -> None:
        self.settled.set()

    @property
    def office_id(self) -> OfficeId:
        return self.request.office_id

    @property
    def role(self) -> str:
        return self.request.role

    @property
    def pool(self) -> SessionPool:
        return self.request.pool

    @property
    def driver(self) -> AgentDriver:
        assert self._driver is not None  # noqa: S101  a session is given out only with an agent in it
        return self._driver

    @driver.setter
    def driver(self, driver: AgentDriver) -> None:
        self._driver = driver

    @property
    def position(self) -> ByteOffset:
        """Up to where its output was taken in."""
        return self._driver.position if self._driver is not None else FIRST_BYTE

    @property
    def is_idle(self) -> bool:
        return self.status is SessionStatus.READY and self.held_by is None and not self.ending

    def fits(self, request: SessionRequest) -> bool:
        """Whether it may serve a request; one with wishes of its own gets a new session."""
        return (
            (self.office_id, self.role) == (request.office_id, request.role)
            and request.agent in (None, self.agent)
            and request.is_plain
        )

    def head(self) -> str | None:
        """The commit that is checked out."""
        if self._head is None or self._head.worktree != self.worktree.path:
            self._head = GitHead(self.worktree.path)
        return self._head.commit()
