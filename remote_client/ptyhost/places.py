"""Where hosts live in a client's state folder: one folder for each version of the protocol, with its lock and sockets.

A Unix socket's path must be short: in a deep state folder, the sockets lie in a folder of their own in the temporary
files, and the file `address` says where. Nobody but the owner can look into either.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from remote_client.ptyhost.protocol import VERSION
from shared.errors import Conflict, Forbidden

LONGEST_PATH = 96
CONTROL = "control"
HOOKS = "hooks"
_NAME = "v"


class Place:
    """One version's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sessions = folder / "sessions"
        self.log = folder / "log"
        self._lock = folder / "lock"
        self._address = folder / "address"

    @property
    def name(self) -> str:
        return self.folder.name

    def make(self) -> None:
        """
        Raises:
            Forbidden: somebody else's folder lies there.
        """
        for folder in (self.folder.parent, self.folder, self.sessions):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if found.st_uid != os.geteuid():
                raise Forbidden(f"{folder} belongs to somebody else")
            if found.st_mode & 0o077:
                folder.chmod(0o700)

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

    def address(self) -> Path | None:
        """The folder of the sockets, when a host has said where it is."""
        try:
            return Path(self._address.read_text())
        except FileNotFoundError:
            return None

    def open_sockets(self) -> tuple[socket.socket, socket.socket]:
        """Listens for clients and for hooks. Only for the holder of the lock."""
        self.close_sockets()
        folder = self.folder
        if len(os.fsencode(folder / CONTROL)) > LONGEST_PATH:
            short = tempfile.gettempdir()
            folder = Path(tempfile.mkdtemp(prefix="semo-", dir=short if len(short) < LONGEST_PATH // 2 else "/tmp"))  # noqa: S108
        listening = _listen(folder / CONTROL), _listen(folder / HOOKS)
        fresh = self._address.with_suffix(".new")
        fresh.write_text(str(folder))
        fresh.replace(self._address)
        return listening

    def close_sockets(self) -> None:
        """Takes away what leads to the sockets, also those of a host that died."""
        folder = self.address()
        if folder is None:
            return
        self._address.unlink()
        for name in (CONTROL, HOOKS):
            (folder / name).unlink(missing_ok=True)
        if folder != self.folder:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)


def own_place(root: Path) -> Place:
    """The place of this version's host."""
    return Place(root / f"{_NAME}{VERSION}")


def places_in(root: Path) -> Iterator[Place]:
    """Every version's place that there is."""
    for folder in sorted(root.glob(f"{_NAME}*")):
        if folder.name.removeprefix(_NAME).isdigit():
            yield Place(folder)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def require_same_user(connection: socket.socket) -> None:
    """
    Raises:
        Forbidden: the process at the other end is of another user.
    """
    if sys.platform == "linux":
        _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    else:  # LOCAL_PEERCRED of macOS and the BSDs, whose answer begins with a version and the user
        _, user = struct.unpack_from("=II", connection.getsockopt(0, 1, 76))
    if user != os.geteuid():
        raise Forbidden(f"user {user} may not speak to the terminals of user {os.geteuid()}")
