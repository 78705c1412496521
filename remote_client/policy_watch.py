"""Keeps the policy in force as its file says, while the client runs: a new version that is wrong changes nothing.

Who holds the `Policy` holds the new one from then on; what runs goes on.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from remote_client.policy import Policy, parse_policy
from shared.errors import InvalidPayload, Unavailable

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0

Version = tuple[int, int, int]


class PolicyWatch:
    """`put` makes use of a new version, and may refuse it; `tell` says to the offices what came of it.

    `report`: says what this machine can do by now. It is called again while the office is away.
    """

    def __init__(
        self,
        path: Path,
        policy: Policy,
        put: Callable[[Policy], Awaitable[None]],
        tell: Callable[[str, dict[str, Any]], None],
        report: Callable[[], Awaitable[None]],
    ) -> None:
        self._path = path
        self._policy = policy
        self._put = put
        self._tell = tell
        self._report = report
        self._unreported = False
        self._seen = _version_of(path)
        self.problem: str | None = None
        """Why the file as it is now is not in force."""

    async def run(self) -> None:
        """
        Raises:
            Fenced: a newer process of this client has taken over.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()
            if self._unreported:
                with contextlib.suppress(Unavailable):
                    await self._report()
                    self._unreported = False

    async def look(self) -> None:
        """Reads the file again if it is another one."""
        version = _version_of(self._path)
        if version == self._seen:
            return
        self._seen = version
        try:
            new = parse_policy(self._path.read_text(), self._path.name)
            changed = self._policy.differs_in(new)
            if not changed:
                self.problem = None
                return
            await self._put(new)
        except (InvalidPayload, OSError, UnicodeDecodeError) as error:
            words = error.detail if isinstance(error, InvalidPayload) else str(error)
            log.error("the new policy is wrong; the one before stays in force", problem=words)
            self.problem = words
            self._tell("policy_refused", {"problem": words})
            return
        self._policy.take_over(new)
        self.problem = None
        self._unreported = True
        log.info("the policy has changed", in_=changed)
        self._tell("policy_changed", {"in": changed})


def _version_of(path: Path) -> Version | None:
    """Another one, another content; None: it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116  no more than a number is wanted
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
