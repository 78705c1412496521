"""Folders with Unix sockets in them, which only their owner can open. What is said there is the business of others.

A Unix socket's path must be short: in a deep state folder, the sockets lie in a folder of their own in the temporary
files, and the file `address` says where. Nobody but the owner can look into either.
"""

import contextlib
import os
import shutil
import socket
import struct
import sys
import tempfile
from pathlib import Path

from shared.errors import Forbidden

LONGEST_PATH = 96


def own(folder: Path) -> None:
    """Makes a folder for this user alone.

    Raises:
        Forbidden: somebody else's lies there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise Forbidden(f"{folder} belongs to somebody else")
    if found.st_mode & 0o077:
        folder.chmod(0o700)


class SocketFolder:
    """One folder, in which one process at a time listens, on a socket for each of `names`."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self._names = names
        self._address = folder / "address"

    def make(self) -> None:
        """
        Raises:
            Forbidden: somebody else's folder lies there.
        """
        own(self.folder.parent)
        own(self.folder)

    def address(self) -> Path | None:
        """The folder of the sockets, when somebody who listens has said where it is."""
        try:
            return Path(self._address.read_text())
        except FileNotFoundError:
            return None

    def listen(self) -> list[socket.socket]:
        """A listening socket for each name. What a process that died has left there is taken away."""
        self.close_sockets()
        folder = self.folder
        if any(len(os.fsencode(folder / name)) > LONGEST_PATH for name in self._names):
            short = tempfile.gettempdir()
            folder = Path(tempfile.mkdtemp(prefix="semo-", dir=short if len(short) < LONGEST_PATH // 2 else "/tmp"))  # noqa: S108
        listening = [_listen(folder / name) for name in self._names]
        fresh = self._address.with_suffix(".new")
        fresh.write_text(str(folder))
        fresh.replace(self._address)
        return listening

    def close_sockets(self) -> None:
        """Takes away what leads to the sockets, also those of a process that died."""
        folder = self.address()
        if folder is None:
            return
        self._address.unlink()
        if folder != self.folder:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)
        for name in self._names:
            (folder / name).unlink(missing_ok=True)


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


def peer_pid(connection: socket.socket) -> int:
    """The process that opened the connection; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


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
        raise Forbidden(f"user {user} may not speak to the processes of user {os.geteuid()}")
