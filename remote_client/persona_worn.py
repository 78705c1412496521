"""The persona of one session: put on before its agent starts, kept current before each prompt, taken off at its end.

What the office says is asked of the office; how the file is written is in `persona`.
"""

import asyncio
from pathlib import Path

import structlog

from remote_client import persona
from remote_client.office_link import OfficeLink
from remote_client.office_records import Persona
from remote_client.scope import Scope
from shared.errors import NotFound, PersonaNotRendered, SessionFailed, Unavailable
from shared.ids import OfficeId, SessionId
from shared.states import SessionStatus

log = structlog.get_logger(__name__)

RENDERED_SECONDS = 15.0
PAUSE_SECONDS = 0.5


class WornPersona:
    def __init__(self, link: OfficeLink, session_id: SessionId, office_id: OfficeId, role: str) -> None:
        self._link = link
        self._session_id = session_id
        self._office_id = office_id
        self._role = role
        self.version: int | None = None
        """Of the persona that is in the worktree."""
        self.scope = Scope()
        self._rendered: str | None = None

    async def put_on(self, worktree: Path) -> int:
        """Returns its version.

        Raises:
            NotFound: the office has no persona for the role.
            PersonaNotRendered: nobody has rendered it.
            SessionFailed: it cannot be written so that git does not see it.
        """
        try:
            async with asyncio.timeout(RENDERED_SECONDS):
                found = await self._find()
                while found.rendered is None:
                    await asyncio.sleep(PAUSE_SECONDS)
                    found = await self._find()
        except TimeoutError:
            raise PersonaNotRendered(
                f'the persona of the role "{self._role}" has not been rendered',
                advice="is the office server running?",
            ) from None
        return await self._put_on(worktree, found)

    async def _find(self) -> Persona:
        found = await self._link.get_persona(self._office_id, self._role)
        if found is None:
            raise NotFound(f'the office has no persona for the role "{self._role}"')
        return found

    async def remember(self, version: int | None) -> None:
        """What an earlier process of this client put on is worn still."""
        self.version = version
        found = await self._link.get_persona(self._office_id, self._role)
        if found is not None:
            self.scope = Scope(found.scope_patterns)
            self._rendered = found.rendered if found.shown_version == version else None

    async def keep_current(self, worktree: Path, status: SessionStatus, told: int | None) -> None:
        """Puts on what the office says now, and what the agent took off. Without an answer, leaves what is there.

        `told`: the version that the office showed when it gave out the prompt; None when it did not say.

        Raises:
            SessionFailed: it cannot be written so that git does not see it.
        """
        known = self._rendered if told is not None and told == self.version else None
        if known is not None and persona.is_worn(worktree, known):
            return
        try:
            found = await self._link.get_persona(self._office_id, self._role)
        except Unavailable as error:
            log.warning("persona not looked up", session_id=str(self._session_id), error=error.detail)
            return
        if found is None or found.rendered is None:
            return
        if found.shown_version == self.version and persona.is_worn(worktree, found.rendered):
            return
        before = self.version
        await self._put_on(worktree, found)
        if self.version != before:
            await self._link.update_session(self._session_id, status, persona_version=self.version)

    async def take_off(self, worktree: Path) -> None:
        """Leaves the worktree as if nobody had worn anything in it. What cannot be undone is left for the next."""
        try:
            await persona.remove(worktree)
        except SessionFailed as error:
            log.warning("persona not taken off", session_id=str(self._session_id), error=error.detail)

    async def _put_on(self, worktree: Path, found: Persona) -> int:
        await persona.inject(worktree, found.rendered or "")
        self.version = found.shown_version
        self.scope = Scope(found.scope_patterns)
        self._rendered = found.rendered
        return self.version
