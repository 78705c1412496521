"""`python -m local_supabase --data DIR --port N`: serves DIR until SIGTERM or Ctrl-C.

Prints one JSON line: {"supabase_url": …} when it is ready, or {"error", "message", "kept", "do"} and exits with 1.
The keys are in the data folder (`local_supabase.keys.load`), never in the output.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from local_supabase.errors import EmbeddedError
from local_supabase.serve import serve, stop_on_signals
from shared import logs

_MIGRATIONS = Path(__file__).parents[1] / "supabase"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local_supabase", description="An embedded Supabase project.")
    parser.add_argument("--data", type=Path, required=True, help="folder for data and keys; made if not there")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 (default) takes a free one")
    parser.add_argument("--supabase", type=Path, default=_MIGRATIONS, help="folder with migrations/ and seed.sql")
    parser.add_argument("--postgres-bin", type=Path, help="another PostgreSQL than the wheel's: its bin folder")
    arguments = parser.parse_args()
    _log_to_stderr()
    try:
        asyncio.run(_serve(arguments))
    except EmbeddedError as error:
        _say(error.as_dict())
        return 1
    return 0


def _log_to_stderr() -> None:
    """Standard output is for the one line that the parent reads."""
    logs.configure(sys.stderr)


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await serve(
        arguments.data, arguments.port, arguments.supabase, ready=_ready, stop=stop, programs=arguments.postgres_bin
    )


async def _ready(url: str) -> None:
    _say({"supabase_url": url})


def _say(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
