"""Holds TCP ports of 127.0.0.1 for a process that will listen there; who that is, its caller knows."""

import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def held_port(port: int) -> Generator[int]:
    """Keeps the system from giving the port to others for as long as the block lasts; 0 takes a free one.

    Where a system lets nobody listen on a port that is held (all but Linux), it is free from the start.

    Raises:
        OSError: it is not to be had.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        chosen = int(holder.getsockname()[1])
        if sys.platform != "linux":
            holder.close()
        yield chosen
