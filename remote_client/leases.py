"""Keeps what this client holds: renews it in time, and stops the work of which the office says that it is gone.

While the office is silent, what was typed goes on; nothing more is typed once a lease may have run out (`Hold.check`).
"""

import asyncio
from collections.abc import Callable

import structlog

from remote_client.commands import Hold, lease_clock
from remote_client.office_link import OfficeLink
from shared.errors import Fenced, Unavailable
from shared.ids import Attempt, CommandId

log = structlog.get_logger(__name__)


class Leases:
    """All holds of this process, from claim to delivered result."""

    def __init__(self, link: OfficeLink, lease_seconds: int) -> None:
        self._link = link
        self._lease_seconds = lease_seconds
        self._soon = asyncio.Event()
        self._holds: dict[tuple[CommandId, Attempt], tuple[Hold, Callable[[], object] | None]] = {}

    def keep(self, hold: Hold, stop: Callable[[], object]) -> None:
        """`stop` is called once if the lease is lost."""
        self._holds[hold.command.command_id, hold.command.attempt] = (hold, stop)

    def finished(self, hold: Hold) -> None:
        """Its result is on its way: the office may have it before we know. The lease is renewed, and its loss stops
        nothing any more; whether the result came too late, the office says.
        """
        self._holds[hold.command.command_id, hold.command.attempt] = (hold, None)

    def drop(self, hold: Hold) -> None:
        self._holds.pop((hold.command.command_id, hold.command.attempt), None)

    def renew_now(self) -> None:
        """The office answers again, and waits for nobody."""
        self._soon.set()

    async def run(self) -> None:
        """
        Raises:
            Fenced: a newer process of this client has taken over.
        """
        while True:
            try:
                async with asyncio.timeout(self._lease_seconds / 3):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            try:
                await self._renew()
            except Fenced:
                raise
            except Unavailable as error:
                log.warning("leases not renewed", error=error.detail)
            self._stop_what_is_gone()

    async def _renew(self) -> None:
        if not self._holds:
            return
        asked_at = lease_clock()
        asked = list(self._holds)
        ours = await self._link.renew_leases(asked, self._lease_seconds)
        for key in asked:
            if key not in self._holds:
                continue
            hold, stop = self._holds[key]
            if key in ours:
                hold.renew(asked_at, self._lease_seconds)
            elif stop is not None:
                hold.gone = True

    def _stop_what_is_gone(self) -> None:
        for hold, stop in list(self._holds.values()):
            if stop is not None and hold.gone:
                self.drop(hold)
                log.warning("lease gone, work stopped", command_id=str(hold.command.command_id))
                stop()
