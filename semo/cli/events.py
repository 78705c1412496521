"""`semo events`: what happens in an office."""

from typing import Annotated

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end


def events(
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="KIND…", help="Such as plan, job.done or spec_task; default: all.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="The id of an event; 0-0: all that are kept. Default: from now on.")
    ] = None,
    to_now: Annotated[bool, typer.Option("--to-now", help="End with what has happened until now.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what happens in the office as it happens, until Ctrl-C."""
    from semo.events import follow

    run_to_end(lambda: follow(office_of(data), after, kinds or [], to_now=to_now, as_json=as_json))
