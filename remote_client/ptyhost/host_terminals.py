"""The terminals of a client, kept by hosts in processes of their own: finds them, starts one, speaks to all of them.

New sessions go to the host of this version; those in a host of another version stay there.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from signal import Signals
from typing import Any

from remote_client.ptyhost.host import KEEP_BYTES
from remote_client.ptyhost.link import HostLink
from remote_client.ptyhost.places import Place, own_place, places_in
from remote_client.ptyhost.protocol import exit_of, info_of, spec_to_json
from remote_client.terminals import Chunk, ExitStatus, HookEvent, InputMode, TerminalInfo, TerminalSpec
from shared.errors import NotFound, SessionFailed
from shared.ids import ByteOffset, SessionId

START_SECONDS = 15.0
STOP_SECONDS = 15.0
IDLE_SECONDS = 60.0
ALONE_SECONDS = 43_200.0
_PAUSE_SECONDS = 0.02


class HostTerminals:
    """Implements `Terminals`. `root` is where hosts live; they are started when the first terminal is made.

    `keep_bytes`: how much output of each terminal is kept on disk. `idle_seconds`: how long a host stays when it has
    no terminal and no client. `alone_seconds`: how long terminals go on while no client is there.
    """

    def __init__(
        self,
        root: Path,
        keep_bytes: int = KEEP_BYTES,
        idle_seconds: float = IDLE_SECONDS,
        alone_seconds: float = ALONE_SECONDS,
    ) -> None:
        self._root = root.absolute()
        self._own = own_place(self._root)
        self._options = (
            f"--keep-bytes={keep_bytes}", f"--idle-seconds={idle_seconds}", f"--alone-seconds={alone_seconds}",
        )  # fmt: skip
        self._links: dict[str, HostLink] = {}
        self._homes: dict[SessionId, Place] = {}
        self._starting: asyncio.Task[HostLink] | None = None

    # Hosts ------------------------------------------------------------------------------------------------------------

    async def _link(self, place: Place) -> HostLink | None:
        """None when no host lives there."""
        link = self._links.get(place.name)
        if link is not None and not link.closed:
            return link
        found = await HostLink.open(place)
        link = self._links.get(place.name)
        if link is not None and not link.closed:  # somebody was faster
            if found is not None:
                await found.close()
            return link
        if found is not None:
            self._links[place.name] = found
        return found

    async def _own_link(self) -> HostLink:
        """The host for new sessions, started when there is none.

        Raises:
            SessionFailed: it does not start.
        """
        link = await self._link(self._own)
        if link is not None:
            return link
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> HostLink:
        try:
            async with asyncio.timeout(START_SECONDS):
                pause = _PAUSE_SECONDS
                while True:
                    await self._launch()
                    # One that is about to end may have the lock still: then this goes round.
                    link = await self._link(self._own)
                    if link is not None:
                        return link
                    await asyncio.sleep(pause)
                    pause *= 2
        except TimeoutError:
            raise SessionFailed(f"the host of the terminals did not start, see {self._own.log}") from None

    async def _launch(self) -> None:
        launcher = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "remote_client.ptyhost", f"--place={self._own.folder}", *self._options,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=host_environment(),
        )  # fmt: skip
        _, said = await launcher.communicate()
        if launcher.returncode:
            raise SessionFailed(said.decode(errors="replace").strip() or "the host of the terminals did not start")

    async def _look(self) -> list[TerminalInfo]:
        """All terminals of all hosts; a host is started to take over what a dead one left behind."""
        found: dict[SessionId, TerminalInfo] = {}
        left_behind = False
        for place in places_in(self._root):
            link = await self._link(place)
            if link is not None:
                found |= await self._list(place, link)
            else:
                left_behind = left_behind or place.has_sessions()
        if left_behind:
            link = await self._own_link()
            await link.call("adopt")
            found |= await self._list(self._own, link)
        return list(found.values())

    async def _list(self, place: Place, link: HostLink) -> dict[SessionId, TerminalInfo]:
        told, _ = await link.call("list")
        infos = {info.session_id: info for info in map(info_of, told)}
        self._homes |= dict.fromkeys(infos, place)
        return infos

    async def _link_of(self, session_id: SessionId) -> HostLink:
        for _ in range(2):
            place = self._homes.get(session_id)
            link = await self._link(place) if place is not None else None
            if link is not None:
                return link
            self._homes.pop(session_id, None)
            await self._look()
        raise NotFound(f"there is no terminal for session {session_id} on this machine")

    async def _call(self, session_id: SessionId, op: str, body: bytes = b"", **details: Any) -> tuple[Any, bytes]:
        link = await self._link_of(session_id)
        return await link.call(op, body, session_id=str(session_id), **details)

    # Terminals --------------------------------------------------------------------------------------------------------

    async def create(self, spec: TerminalSpec) -> TerminalInfo:
        link = await self._own_link()
        told, _ = await link.call("create", spec=spec_to_json(replace(spec, umask=_own_umask())))
        self._homes[spec.session_id] = self._own
        return info_of(told)

    async def write(self, session_id: SessionId, data: bytes, key: str | None = None) -> None:
        await self._call(session_id, "write", data, key=key)

    async def settle(self, session_id: SessionId, key: str) -> ByteOffset | None:
        offset, _ = await self._call(session_id, "settle", key=key)
        return offset

    async def resize(self, session_id: SessionId, cols: int, rows: int) -> None:
        await self._call(session_id, "resize", cols=cols, rows=rows)

    async def input_mode(self, session_id: SessionId) -> InputMode:
        mode, _ = await self._call(session_id, "input_mode")
        return mode

    async def signal(self, session_id: SessionId, number: Signals) -> None:
        await self._call(session_id, "signal", number=number)

    async def answer_hook(self, session_id: SessionId, number: int, body: dict[str, Any]) -> None:
        await self._call(session_id, "answer_hook", number=number, answer=body)

    async def kill(self, session_id: SessionId, grace_seconds: float) -> ExitStatus:
        told, _ = await self._call(session_id, "kill", grace_seconds=grace_seconds)
        return exit_of(told)

    async def read_from(self, session_id: SessionId, offset: ByteOffset, limit: int) -> Chunk:
        start, data = await self._call(session_id, "read_from", offset=offset, limit=limit)
        return Chunk(ByteOffset(start), data)

    async def follow(
        self, session_id: SessionId, offset: ByteOffset, after_hook: int = 0
    ) -> AsyncGenerator[Chunk | HookEvent]:
        link = await self._link_of(session_id)
        told = link.stream("follow", session_id=str(session_id), offset=offset, after_hook=after_hook)
        async with aclosing(told) as frames:
            async for frame in frames:
                hook = frame.header.get("hook")
                yield HookEvent(**hook) if hook is not None else Chunk(ByteOffset(frame.header["chunk"]), frame.body)

    async def wait(self, session_id: SessionId) -> ExitStatus:
        told, _ = await self._call(session_id, "wait")
        return exit_of(told)

    async def kept_in(self, session_id: SessionId) -> Path | None:
        await self._link_of(session_id)
        return self._homes[session_id].sessions / str(session_id)

    async def forget(self, session_id: SessionId) -> None:
        await self._call(session_id, "forget")

    async def list(self) -> Sequence[TerminalInfo]:
        return await self._look()

    # The end ----------------------------------------------------------------------------------------------------------

    async def detach(self) -> None:
        """Lets go of all hosts; terminals and hosts go on."""
        for link in self._links.values():
            await link.close()
        self._links.clear()

    async def stop(self) -> None:
        """Ends every terminal and every host, and returns when their processes are gone.

        Raises:
            SessionFailed: one did not end in time.
        """
        if self._starting is not None:
            # Whoever wanted it may be gone, and it would come up after all others have ended.
            await asyncio.wait({self._starting})
        await asyncio.gather(*(self._stop_host(place) for place in places_in(self._root)))
        self._links.clear()

    async def _stop_host(self, place: Place) -> None:
        link = await self._link(place)
        if link is None:
            return
        try:
            async with asyncio.timeout(STOP_SECONDS):
                with suppress(SessionFailed):  # it may end before it can say so
                    await link.call("stop")
                await link.close()
                while place.is_held():  # noqa: ASYNC110  a lock between processes wakes nobody
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            raise SessionFailed(f"the host of the terminals (process {link.pid}) does not end") from None


def _own_umask() -> int:
    own = os.umask(0o077)
    os.umask(own)
    return own


def host_environment() -> dict[str, str]:
    """What a host gets of this process's environment: nothing that could be a secret."""
    return {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ") if name in os.environ}
