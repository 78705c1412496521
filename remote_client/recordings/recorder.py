"""Takes what each terminal of this client leaves, and has recordings made of it beside the client's own work.

Never in the way: what cannot be recorded is said in the log, and nothing waits for a recording to be made.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from remote_client.policy import Policy
from remote_client.ptyhost.host_terminals import host_environment
from remote_client.recordings.waiting import About, take
from remote_client.terminals import Terminals
from shared.errors import NotFound
from shared.ids import SessionId

log = structlog.get_logger(__name__)

_BYTES_PER_MB = 1_000_000


class Recorder:
    def __init__(self, shelf: Path, policy: Policy, terminals: Terminals) -> None:
        self._shelf = shelf
        self._policy = policy
        self._terminals = terminals
        self._wanted = asyncio.Event()
        self._wanted.set()  # an earlier process of this client may have left some
        self._making = asyncio.Lock()

    async def take(self, session_id: SessionId, role: str, agent: str) -> None:
        """Takes what a terminal left that has ended, before it is forgotten."""
        if not self._policy.recordings.enabled:
            return
        try:
            spool = await self._terminals.kept_in(session_id)
            if spool is None:
                return
            await asyncio.to_thread(take, self._shelf, spool, About(session_id, role, agent))
        except (OSError, NotFound) as error:
            log.warning("a session leaves no recording", session_id=str(session_id), error=str(error))
            return
        self._wanted.set()

    async def run(self) -> None:
        """Makes recordings of what was taken, until cancelled."""
        while True:
            await self._wanted.wait()
            await self._make_all()

    async def finish(self, seconds: float) -> None:
        """Makes what still waits, as far as that goes in the time; the next start of the client makes the rest."""
        try:
            async with asyncio.timeout(seconds):
                await self._make_all()
        except TimeoutError:
            log.info("some recordings are made at the next start")

    async def _make_all(self) -> None:
        async with self._making:
            if not self._wanted.is_set() or not self._shelf.is_dir():
                self._wanted.clear()
                return
            self._wanted.clear()
            try:
                await self._make()
            except BaseException:
                self._wanted.set()
                raise

    async def _make(self) -> None:
        rules = self._policy.recordings
        maker = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "remote_client.recordings", str(self._shelf),
            f"--keep-days={rules.keep_days}", f"--max-bytes={rules.max_mb * _BYTES_PER_MB}",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=host_environment(),
        )  # fmt: skip
        try:
            _, said = await maker.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):  # it may have ended just now
                maker.kill()
            await maker.wait()
            raise
        for line in said.decode(errors="replace").splitlines():
            log.warning("a session leaves no recording", error=line)
