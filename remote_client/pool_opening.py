"""Opens sessions: three tries with growing pauses between them, as long as the circuit of the role is closed."""

import asyncio
from dataclasses import replace

import structlog

from remote_client.commands import Hold
from remote_client.policy import Policy
from remote_client.pool_circuits import Circuits, is_failure_of_the_role
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session, SessionRequest
from shared.errors import OfficeError, Unavailable
from shared.states import SessionPool

log = structlog.get_logger(__name__)

PAUSES_SECONDS = (1.0, 2.0)
"""Between the three tries."""


class Opening:
    """`now`: what is being opened, each with the name of its agent."""

    def __init__(self, maker: SessionMaker, policy: Policy, circuits: Circuits) -> None:
        self._maker = maker
        self._policy = policy
        self._circuits = circuits
        self.now: list[SessionRequest] = []

    async def for_command(self, request: SessionRequest, hold: Hold) -> Session:
        """A session in the hands of `hold`'s command. Nothing is typed, so that trying again does no harm.

        Raises:
            NoRoom: the circuit of the role is open.
            Fenced: the lease of the command ran out meanwhile.
            OfficeError: as the last try says.
        """
        for pause in PAUSES_SECONDS:
            self._circuits.require_closed(request)
            hold.check()
            try:
                return await self._try(request, hold)
            except Unavailable as error:
                log.warning("session not made; trying again", role=request.role, error=error.detail)
            await asyncio.sleep(pause)
        self._circuits.require_closed(request)
        hold.check()
        return await self._try(request, hold)

    async def idle(self, request: SessionRequest, pool: SessionPool) -> Session:
        """A session that waits in its pool; one try, also while the circuit is open."""
        return await self._try(replace(request, pool=pool), None)

    async def _try(self, request: SessionRequest, hold: Hold | None) -> Session:
        opened = replace(request, agent=self._policy.agent_named(request.agent)[0])
        self.now.append(opened)
        try:
            session = await self._maker.open(request, hold)
        except OfficeError as error:
            if is_failure_of_the_role(error) or self._circuits.is_open(request.office_id, request.role):
                await self._circuits.failed(request, error)
            raise
        finally:
            self.now.remove(opened)
        self._circuits.succeeded(request)
        return session
