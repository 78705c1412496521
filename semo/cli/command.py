"""`semo command`: single rows of agent_commands."""

from typing import Annotated

import typer

from semo import console
from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end
from shared.states import CommandStatus

group = typer.Typer(name="command", help="Commands: the rows of agent_commands.", no_args_is_help=True)

CommandId = Annotated[str, typer.Argument(metavar="ID", help="As `semo run` and `semo status` show it.")]


@group.command(name="list")
def list_commands(
    status: Annotated[list[CommandStatus] | None, typer.Option(help="Only these; may be given again.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what was asked for, newest first, and how long it took to be typed and to end."""
    from semo.command_view import draw_list

    async def print_them() -> None:
        async with office_of(data) as api:
            found = await api.get("/commands", status=[one.value for one in status or []] or None, limit=limit)
        console.machine(found) if as_json else draw_list(found["commands"])

    run_to_end(print_them)


@group.command()
def show(command_id: CommandId, data: Data = None, as_json: Json = False) -> None:
    """Show one command: the steps of each attempt, why it waits, and what came of it."""
    from semo.command_view import draw

    async def print_it() -> None:
        async with office_of(data) as api:
            found = await api.get(f"/commands/{command_id}")
        console.machine(found) if as_json else draw(found)

    run_to_end(print_it)


@group.command()
def cancel(command_id: CommandId, data: Data = None) -> None:
    """Withdraw a command that nobody has taken yet."""

    async def withdraw() -> None:
        async with office_of(data) as api:
            await api.post(f"/commands/{command_id}/cancel", {})
            console.good(f"command {command_id} is withdrawn")

    run_to_end(withdraw)
