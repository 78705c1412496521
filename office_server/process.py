"""Runs one office server until it is told to stop: `python -m office_server [--ready-line]`.

Exit codes: 0 stopped as asked; 2 wrongly set up; 3 the port cannot be had.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import cast

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from office_server.app import create_app
from office_server.logs import configure
from office_server.services import Services
from office_server.settings import OfficeSettings
from shared.starting import loading

WRONG_SETTINGS = 2
NO_PORT = 3


class Server(uvicorn.Server):
    """uvicorn, with a word when it is ready, an end to long waits when it stops, and exit code 0 on a signal."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        services = cast("Services", self._app.state.services)
        services.results.close()
        services.feed.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    listener = socket.create_server((host, port), backlog=1024)
    # asyncio sets this only on sockets that name their protocol; without it every answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(settings: OfficeSettings, listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Runs until SIGTERM or SIGINT. `ready` is called with the server's URL."""
    host, port = listener.getsockname()[:2]
    app = create_app(settings)
    if settings.dashboard and find_spec("nicegui") is not None:
        with loading():
            from office_server.dashboard.mount import mount  # takes a second, and is not there without its extra

        mount(app, settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = Server(app, config, lambda: ready(f"http://{host}:{port}"))
    asyncio.run(server.serve(sockets=[listener]))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m office_server", description="Runs an office server.")
    parser.add_argument("--ready-line", action="store_true", help="say on standard output, as JSON, where it listens")
    ready_line: bool = parser.parse_args(arguments).ready_line
    try:
        settings = OfficeSettings()  # pyright: ignore[reportCallIssue] - from the environment
    except ValidationError as error:
        wrong = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        return _fail(ready_line, WRONG_SETTINGS, "wrong_settings", wrong, "set these as .env.example says")
    configure(settings)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        said = f"{settings.host}:{settings.port} cannot be had: {reason}"
        return _fail(ready_line, NO_PORT, "port_busy", said, "stop what listens there, or set SEMO_OFFICE_PORT")
    with listener:
        serve(settings, listener, _say_ready if ready_line else _tell)
    return 0


def _tell(url: str) -> None:
    sys.stderr.write(f"the office server listens on {url}\n")


def _say_ready(url: str) -> None:
    _line({"office_url": url})


def _fail(ready_line: bool, exit_code: int, code: str, message: str, do: str) -> int:
    if ready_line:
        _line({"error": code, "message": message, "kept": "all data is as it was", "do": do})
    sys.stderr.write(f"{message} · {do}\n")
    return exit_code


def _line(content: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()
