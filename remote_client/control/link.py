"""The other end of a client's socket: for windows and commands on the same machine, without the client's libraries."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from remote_client.control.place import SOCKET, control_folder
from remote_client.ptyhost.link import HostLink
from shared.errors import Conflict, OfficeError, Unavailable
from shared.local import VERSION, Snapshot, read_part

HELLO_SECONDS = 10.0


class ControlLink(HostLink):
    """A connection to a running client. Made by `open_to`."""

    @classmethod
    async def open_to(cls, state: Path) -> "ControlLink | None":
        """None when no client runs on that state folder.

        Raises:
            Forbidden: it is another user's.
            Conflict: it is of a version with which this one cannot speak.
        """
        greeted = await cls._greet(control_folder(state).address(), SOCKET, HELLO_SECONDS)
        if greeted is None:
            return None
        link, told = greeted
        if told["version"] != VERSION:
            await link.close()
            raise Conflict(
                f"the client that runs here speaks version {told['version']}, and this command {VERSION}",
                advice="restart the older one of them",
            )
        return link

    async def snapshot(self) -> Snapshot:
        """All that it tells of itself."""
        told, _ = await self.call("snapshot")
        return Snapshot(**{name: read_part(name, part) for name, part in told.items()})

    async def follow(self) -> AsyncGenerator[dict[str, Any]]:
        """Each part of its snapshot whenever it has changed, by its name; at first all of them."""
        async with aclosing(self.stream("follow")) as frames:
            async for frame in frames:
                told: dict[str, Any] = frame.header["news"]
                yield {name: read_part(name, part) for name, part in told.items()}

    def _gone(self) -> OfficeError:
        return Unavailable("the client on this machine has ended")
