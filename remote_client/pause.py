"""Whether the person at this machine lets it take new work: kept in a file, so that a restart changes nothing.

The office is told, and hands over nothing new while it is so. What the office decides (draining) is another matter.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from remote_client.office_link import OfficeLink
from shared.errors import Unavailable

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0


class Pause:
    """`on_change` is called when the office has heard it."""

    def __init__(self, path: Path, link: OfficeLink, on_change: Callable[[], None]) -> None:
        self._path = path
        self._link = link
        self._on_change = on_change
        self.since = _read(path)
        self._told: bool | None = None  # what the office heard from this process
        self._news = asyncio.Event()
        self._news.set()

    @property
    def may_claim(self) -> bool:
        """False while a claim could bring what is not wanted: the office has not heard of the pause."""
        return self.since is None or self._told is True

    def set(self, paused: bool) -> None:
        """Durable when this returns; the office hears of it as soon as it listens.

        Raises:
            OSError: it cannot be written, and is not so.
        """
        if paused == (self.since is not None):
            return
        since = datetime.now(UTC) if paused else None
        if since is not None:
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps({"since": since.isoformat()}))
            draft.replace(self._path)
        else:
            self._path.unlink(missing_ok=True)
        self.since = since
        log.info("paused: no new work is taken" if paused else "goes on: new work is taken")
        self._news.set()

    async def run(self) -> None:
        """Tells the office, until cancelled.

        Raises:
            Fenced: a newer process of this client has taken over.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            wanted = self.since is not None
            try:
                await self._link.pause(wanted)
            except Unavailable:
                await asyncio.sleep(AGAIN_SECONDS)
                self._news.set()
                continue
            self._told = wanted
            self._on_change()


def _read(path: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(path.read_text())["since"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError):
        return datetime.now(UTC)  # it is there: that it says so badly makes nobody go on
