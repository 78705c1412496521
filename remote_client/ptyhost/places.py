"""Where hosts live in a client's state folder: a folder for each version of the protocol, with its lock and sockets."""

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from remote_client.ptyhost.protocol import VERSION
from remote_client.sockets import LONGEST_PATH, SocketFolder, own, require_same_user
from shared.errors import Conflict

__all__ = ["CONTROL", "HOOKS", "LONGEST_PATH", "Place", "own_place", "places_in", "require_same_user"]

CONTROL = "control"
HOOKS = "hooks"
_NAME = "v"


class Place(SocketFolder):
    """One version's folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CONTROL, HOOKS)
        self.sessions = folder / "sessions"
        self.log = folder / "log"
        self._lock = folder / "lock"

    @property
    def name(self) -> str:
        return self.folder.name

    def make(self) -> None:
        """
        Raises:
            Forbidden: somebody else's folder lies there.
        """
        super().make()
        own(self.sessions)

    def lock(self) -> int:
        """The lock's descriptor; whoever holds it is the host of this place, until it ends.

        Raises:
            Conflict: another process holds it.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Conflict(f"another process holds {self._lock}") from None
        return descriptor

    def is_held(self) -> bool:
        """Whether a host lives here."""
        try:
            os.close(self.lock())
        except FileNotFoundError:
            return False
        except Conflict:
            return True
        return False

    def has_sessions(self) -> bool:
        return self.sessions.is_dir() and any(self.sessions.iterdir())

    def open_sockets(self) -> tuple[socket.socket, socket.socket]:
        """Listens for clients and for hooks. Only for the holder of the lock."""
        control, hooks = self.listen()
        return control, hooks


def own_place(root: Path) -> Place:
    """The place of this version's host."""
    return Place(root / f"{_NAME}{VERSION}")


def places_in(root: Path) -> Iterator[Place]:
    """Every version's place that there is."""
    for folder in sorted(root.glob(f"{_NAME}*")):
        if folder.name.removeprefix(_NAME).isdigit():
            yield Place(folder)
