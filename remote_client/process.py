"""`python -m remote_client`: runs the client until SIGTERM or SIGINT. Logs to stderr; a ready line to stdout if asked.

Exit codes: 0 stopped when told to; 2 credentials, policy or state folder are missing or wrong; 3 a newer process of
this client has taken over, or another one runs here; 4 this client was revoked; 1 anything else.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
from dataclasses import asdict

import structlog

from remote_client.client import Ready, run
from remote_client.settings import ClientSettings
from shared import logs
from shared.errors import Conflict, Forbidden, ForeignFolder, InvalidPayload, NotFound, OfficeError, Unauthenticated

log = structlog.get_logger("remote_client")


def _exit_code(error: OfficeError) -> int:
    if isinstance(error, Conflict):
        return 3
    if isinstance(error, Unauthenticated | Forbidden):
        return 4
    return 2 if isinstance(error, NotFound | InvalidPayload | ForeignFolder) else 1


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _serve(settings: ClientSettings, ready_line: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def on_ready(ready: Ready) -> None:
        if ready_line:
            _say(asdict(ready))

    await run(settings, stop, on_ready)


def main() -> int:
    parser = argparse.ArgumentParser(prog="remote_client")
    parser.add_argument("--ready-line", action="store_true", help="print one line of JSON when work can come")
    ready_line: bool = parser.parse_args().ready_line
    logging.basicConfig(level=logging.CRITICAL)
    settings = ClientSettings()
    logs.configure(sys.stderr, settings.log_format)
    try:
        asyncio.run(_serve(settings, ready_line))
    except OfficeError as error:
        log.error("stopped", code=error.code, error=error.detail, advice=error.advice)
        if ready_line:
            _say({"error": error.code, "message": error.detail, "kept": "", "do": error.advice or ""})
        return _exit_code(error)
    return 0
