"""A port that is chosen for a process is still there when the process comes to listen on it."""

import socket
import sys

import pytest

from local_supabase.ports import held_port

LOOPBACK = "127.0.0.1"


def test_whoever_it_is_held_for_listens_on_it() -> None:
    with (
        held_port(0) as port,
        socket.create_server((LOOPBACK, port)) as server,
        socket.create_connection((LOOPBACK, port)) as client,
    ):
        assert server.accept()[1] == client.getsockname()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a port be held and listened on")
def test_the_system_gives_a_held_port_to_nobody_else() -> None:
    with held_port(0) as port, socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((LOOPBACK, port))


def test_a_port_on_which_somebody_listens_is_not_to_be_had() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as server,
        pytest.raises(OSError, match="in use"),
        held_port(server.getsockname()[1]),
    ):
        pass
