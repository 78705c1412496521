"""Where a client's socket for the people at its machine is."""

from pathlib import Path

from remote_client.sockets import SocketFolder

SOCKET = "control"


def control_folder(state: Path) -> SocketFolder:
    """In a client's state folder."""
    return SocketFolder(state / "control", SOCKET)
