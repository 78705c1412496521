"""Keeps the house every few seconds: what nobody else moves on, and what is too old to be kept."""

import asyncio

import structlog

from office_server.backend import Backend
from office_server.personas import PersonaKeeper
from shared.errors import OfficeError

_log = structlog.get_logger(__name__)


class Maintenance:
    """Any number of servers may do this at once."""

    def __init__(self, backend: Backend, personas: PersonaKeeper, every_seconds: float, prune_seconds: float) -> None:
        self._upkeep = backend.upkeep
        self._clients = backend.clients
        self._gitwork = backend.gitwork
        self._personas = personas
        self._every_seconds = every_seconds
        self._prune_seconds = prune_seconds
        self._all_rendered = False
        self._prune_at = 0.0
        self._failing: str | None = None

    async def run(self) -> None:
        """Until cancelled. A round that fails is told once and tried again."""
        while True:
            try:
                await self.round()
                self._failing = None
            except OfficeError as error:
                if error.code != self._failing:
                    _log.warning("maintenance_failed", code=error.code, detail=error.detail)
                self._failing = error.code
            await asyncio.sleep(self._every_seconds)

    async def round(self) -> None:
        if self._all_rendered:
            await self._personas.render_changed()
        else:
            await self._personas.render_all()
            self._all_rendered = True
        expired = await self._upkeep.expire_commands()
        rescued = await self._upkeep.rescue_commands()
        await self._upkeep.miss_clients()
        if expired or rescued:
            _log.info("commands_moved", expired=expired, rescued=rescued)
        await self._upkeep.settle_approvals()
        await self._gitwork.follow()
        clock = asyncio.get_running_loop().time
        if clock() >= self._prune_at:
            await self._upkeep.prune_output()
            await self._upkeep.prune_events()
            await self._clients.delete_users_of_revoked()
            self._prune_at = clock() + self._prune_seconds
