"""How this client is connected: the one place that knows. Told by calls and lines what they see; asks nobody.

database:  answers ──(no answer, or no hints)──► doubted ──(asked once more: no answer)──► silent
              ▲───────────────── any answer ────────┴────────────────────────────────────────┘

live      the database is not silent, and hints of every office are proven to flow
polling   the database is not silent, and they are not
offline   the database is silent; since the first call that it did not answer
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import structlog

from shared.ids import OfficeId
from shared.states import ConnectionState

log = structlog.get_logger(__name__)


class Database(Enum):
    ANSWERS = "answers"
    DOUBTED = "doubted"
    SILENT = "silent"


@dataclass(frozen=True)
class Standing:
    state: ConnectionState
    since: datetime

    def __str__(self) -> str:
        """For people: "live", "polling" or "offline since 12:04:31"."""
        offline = self.state is ConnectionState.OFFLINE
        return f"offline since {self.since:%H:%M:%S}" if offline else self.state.value


def _now() -> datetime:
    return datetime.now(UTC)


class Connection:
    """Begins offline. `listen_to_turns`: called when the database falls silent, and when it answers again."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._unanswered_since = now()
        self._hears: dict[OfficeId, bool] = {}
        self._on_turn: list[Callable[[], None]] = []
        self._answers = asyncio.Event()
        self._live = asyncio.Event()
        self.news = asyncio.Event()
        """Set with every change; whoever waits for it clears it first."""
        self.database = Database.SILENT
        self.standing = Standing(ConnectionState.OFFLINE, self._unanswered_since)

    def listen_to_turns(self, listener: Callable[[], None]) -> None:
        self._on_turn.append(listener)

    # What is seen

    def answered(self) -> None:
        """The database answered, whatever it said."""
        if self.database is Database.ANSWERS:
            return
        turned = self.database is Database.SILENT
        self.database = Database.ANSWERS
        self._answers.set()
        self._conclude()
        if turned:
            self._tell()

    def doubt(self) -> None:
        """A call got no answer, or hints stopped: somebody has to ask."""
        if self.database is Database.ANSWERS:
            self.database = Database.DOUBTED
            self._unanswered_since = self._now()
            self.news.set()

    def silent(self) -> None:
        """It was asked because of a doubt, and did not answer."""
        if self.database is Database.DOUBTED:
            self.database = Database.SILENT
            self._answers.clear()
            self._conclude()
            self._tell()

    def hears(self, office: OfficeId, proven: bool) -> None:
        """Whether the hints of an office are proven to flow. What stopped them may have taken the database along."""
        stopped = self._hears.get(office, False) and not proven
        self._hears[office] = proven
        self._conclude()
        if stopped:
            self.doubt()

    def forget(self, office: OfficeId) -> None:
        """This client does not serve that office any more."""
        self._hears.pop(office, None)
        self._conclude()

    # What follows

    @property
    def is_live(self) -> bool:
        return self.standing.state is ConnectionState.LIVE

    @property
    def if_it_answers(self) -> ConnectionState:
        """What holds if the database answers now."""
        proven = bool(self._hears) and all(self._hears.values())
        return ConnectionState.LIVE if proven else ConnectionState.POLLING

    async def until_live(self) -> None:
        await self._live.wait()

    async def until_it_answers(self) -> None:
        """Returns at once unless the database is silent."""
        await self._answers.wait()

    def _conclude(self) -> None:
        silent = self.database is Database.SILENT
        state = ConnectionState.OFFLINE if silent else self.if_it_answers
        if state is not self.standing.state:
            self.standing = Standing(state, self._unanswered_since if silent else self._now())
            log.info("connection", state=str(self.standing))
        (self._live.set if self.is_live else self._live.clear)()
        self.news.set()

    def _tell(self) -> None:
        for listener in self._on_turn:
            listener()
