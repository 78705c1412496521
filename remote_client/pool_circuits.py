"""The circuit breaker of each role: three failures in a row open it, a minute later one trial may close it.

Counts, and tells the office, which then offers nothing that needs a new session of that role. Makes no sessions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from remote_client.office_link import OfficeLink
from remote_client.sessions import SessionRequest
from shared.errors import BackendDown, Forbidden, NoRoom, OfficeError, Unavailable
from shared.ids import OfficeId

log = structlog.get_logger(__name__)

FAILURES = 3
OPEN_SECONDS = 60

Key = tuple[OfficeId, str]


def is_failure_of_the_role(error: OfficeError) -> bool:
    """Whether another session of the role would likely fail as well, but may be made later."""
    return isinstance(error, Unavailable) and not isinstance(error, BackendDown | NoRoom)


@dataclass
class _Circuit:
    """`open_until` is monotonic, None while it is closed; `known`: the office knows it as it is."""

    failures: int = 0
    open_until: float | None = None
    error: OfficeError | None = None
    request: SessionRequest | None = None
    known: bool = True


class Circuits:
    def __init__(self, link: OfficeLink, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._clock = clock
        self._circuits: dict[Key, _Circuit] = {}

    def is_open(self, office_id: OfficeId, role: str) -> bool:
        circuit = self._circuits.get((office_id, role))
        return circuit is not None and circuit.open_until is not None

    def require_closed(self, request: SessionRequest) -> None:
        """
        Raises:
            NoRoom: it is open.
        """
        circuit = self._circuits.get((request.office_id, request.role))
        if circuit is not None and circuit.open_until is not None:
            raise NoRoom(f"no session of {request.role} could be made here {circuit.failures} times: {circuit.error}")

    async def failed(self, request: SessionRequest, error: OfficeError) -> None:
        """A try to make a session failed. When that opens the circuit, the office is told before this returns."""
        circuit = self._circuits.setdefault((request.office_id, request.role), _Circuit())
        circuit.failures += 1
        circuit.error, circuit.request = error, request
        if circuit.failures >= FAILURES:
            log.warning("circuit open", role=request.role, failures=circuit.failures, error=error.detail)
            circuit.open_until = self._clock() + OPEN_SECONDS
            circuit.known = False
            await self.tell()

    def succeeded(self, request: SessionRequest) -> None:
        """A session was made. What that changes is told with the next `tell`."""
        circuit = self._circuits.get((request.office_id, request.role))
        if circuit is None:
            return
        circuit.failures = 0
        if circuit.open_until is not None:
            log.info("circuit closed", role=request.role)
            circuit.open_until, circuit.known = None, False

    def due(self) -> list[SessionRequest]:
        """A session of each role whose time has come to be tried again."""
        now = self._clock()
        return [
            circuit.request.plain()
            for circuit in self._circuits.values()
            if circuit.request is not None and circuit.open_until is not None and circuit.open_until <= now
        ]

    async def tell(self) -> None:
        """Tells the office what it does not know yet, as far as it listens."""
        for (office_id, role), circuit in list(self._circuits.items()):
            if circuit.known:
                continue
            circuit.known = True
            try:
                if circuit.open_until is None or circuit.error is None:
                    await self._link.close_circuit(office_id, role)
                else:
                    error = circuit.error
                    await self._link.open_circuit(
                        office_id, role, circuit.failures, OPEN_SECONDS, error.code, error.detail
                    )
            except Forbidden:
                del self._circuits[office_id, role]  # this client has left the office
            except Unavailable as failure:
                circuit.known = False
                log.warning("circuit not told", role=role, error=failure.detail)
