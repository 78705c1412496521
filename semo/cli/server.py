"""`semo server`: an office server for a Supabase project of one's own."""

import os
import sys
from typing import Annotated

import typer

from semo import console
from semo.cli.options import JsonLog
from semo.cli.running import run_to_end

group = typer.Typer(
    name="server", help="The office server, set up by environment variables or .env.", no_args_is_help=True
)


@group.command()
def start(as_json: JsonLog = False) -> None:
    """Run an office server in the foreground until Ctrl-C; .env.example lists its settings."""
    if as_json:
        os.environ["SEMO_OFFICE_LOG_FORMAT"] = "json"
    os.execv(sys.executable, [sys.executable, "-m", "office_server"])  # noqa: S606 - becomes the server


@group.command()
def init(name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the office.")]) -> None:
    """Make an office and its first token in the Supabase project that SUPABASE_URL names. The token is shown once."""

    from semo.office_setup import init_office_from_settings

    async def make() -> None:
        made = await init_office_from_settings(name)
        console.machine({"office_id": made.office_id, "office_name": made.office_name, "api_token": made.token})

    run_to_end(make)
