"""`python -m remote_client.ptyhost --place DIR …`: starts a host that outlives its starter, and returns when it serves.

Returns 0 also when another host serves there already, or is about to; 1 with a line on stderr when none could start.
"""

import argparse
import os
import sys
from pathlib import Path

from shared.starting import loading

_READY = b"ready"
_BUSY = b"busy"


def _detach(told: int) -> None:
    """Leaves the starter's session, folder and descriptors behind, but for the pipe `told`."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    last = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, told)
    os.closerange(told + 1, last)


class _Starter:
    """Whoever waits for this host; is told one thing, once."""

    def __init__(self, pipe: int) -> None:
        self._pipe: int | None = pipe

    def tell(self, what: bytes) -> None:
        if self._pipe is not None:
            os.write(self._pipe, what)
            os.close(self._pipe)
            self._pipe = None


def _serve(arguments: argparse.Namespace, starter: _Starter) -> None:
    # Nobody speaks TLS here, and it would be a quarter of this process's memory.
    sys.modules["ssl"] = None  # pyright: ignore[reportArgumentType]  the import system's own word for "not there"

    with loading():
        import asyncio
        import logging

        from remote_client.ptyhost.places import Place
        from remote_client.ptyhost.server import HostServer, HostSettings
        from shared.errors import Conflict

    place = Place(arguments.place)
    place.make()
    try:
        place.lock()  # until this process is gone
    except Conflict:
        starter.tell(_BUSY)
        return
    _log_to(place.log)
    settings = HostSettings(arguments.idle_seconds, arguments.alone_seconds, arguments.keep_bytes)
    try:
        asyncio.run(HostServer(place, settings).run(lambda: starter.tell(_READY)))
    except BaseException:
        logging.getLogger("remote_client.ptyhost").exception("the host broke down")
        raise


def _log_to(path: Path, keep_bytes: int = 1_048_576) -> None:
    import logging

    if path.exists() and path.stat().st_size > keep_bytes:
        path.replace(path.with_suffix(".old"))
    logging.basicConfig(filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def main() -> int:
    parser = argparse.ArgumentParser(prog="remote_client.ptyhost")
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--idle-seconds", type=float, required=True)
    parser.add_argument("--alone-seconds", type=float, required=True)
    parser.add_argument("--keep-bytes", type=int, required=True)
    arguments = parser.parse_args()
    listen, tell = os.pipe()
    if os.fork() == 0:
        starter = _Starter(tell)
        status = 1
        try:
            _detach(tell)
            _serve(arguments, starter)
            status = 0
        except Exception as error:  # noqa: BLE001  the starter is told, and it is the last that anybody hears
            starter.tell(f"{type(error).__name__}: {error}".encode())
        os._exit(status)
    os.close(tell)
    said = b""
    while part := os.read(listen, 65_536):
        said += part
    if said in (_READY, _BUSY):
        return 0
    sys.stderr.write(f"the host of the terminals did not start: {said.decode(errors='replace') or 'it died'}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
