"""`semo monitor`: the monitor that tells how an agent's turns end."""

from pathlib import Path
from typing import Annotated

import typer

from semo.cli.running import run_to_end

group = typer.Typer(name="monitor", help="The monitor that tells how an agent's turns end.", no_args_is_help=True)


@group.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE.cast", help="An asciicast v2 recording.")],
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Who was recorded; default: as it says itself.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(min=0, metavar="BYTES", help="Cut the output anew, into so many bytes; 0: uncut.")
    ] = None,
) -> None:
    """Print what the monitor finds in a recording, one JSON object a line."""
    from semo.monitor import replay_recording

    async def play() -> None:
        replay_recording(file, agent, chunk)

    run_to_end(play)
