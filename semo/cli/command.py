"""`semo command`: single rows of agent_commands."""

from typing import Annotated

import typer

from semo import console
from semo.cli.options import Data, office_of
from semo.cli.running import run_to_end

group = typer.Typer(name="command", help="Commands: the rows of agent_commands.", no_args_is_help=True)

CommandId = Annotated[str, typer.Argument(metavar="ID", help="As `semo run` and `semo status` show it.")]


@group.command()
def show(command_id: CommandId, data: Data = None) -> None:
    """Print one command with its receipts and result, as JSON."""

    async def print_it() -> None:
        async with office_of(data) as api:
            console.machine(await api.get(f"/commands/{command_id}"))

    run_to_end(print_it)


@group.command()
def cancel(command_id: CommandId, data: Data = None) -> None:
    """Withdraw a command that nobody has taken yet."""

    async def withdraw() -> None:
        async with office_of(data) as api:
            await api.post(f"/commands/{command_id}/cancel", {})
            console.good(f"command {command_id} is withdrawn")

    run_to_end(withdraw)
