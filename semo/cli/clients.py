"""`semo clients`: the machines of an office, for its admins."""

from typing import Annotated

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end

group = typer.Typer(name="clients", help="The machines of an office: for its admins.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="CLIENT", help="Its name, or the beginning of its id.")]


@group.command("list")
def show(data: Data = None, as_json: Json = False) -> None:
    """Show the machines of the office, those that were shut out too."""
    from semo import clients

    async def list_them() -> None:
        async with office_of(data) as api:
            await clients.show(api, as_json=as_json)

    run_to_end(list_them)


@group.command()
def invite(data: Data = None, as_json: Json = False) -> None:
    """Make a code that lets one machine in: once, within ten minutes. Shown as text, command, link and QR."""
    from semo import clients

    async def let_in() -> None:
        async with office_of(data) as api:
            await clients.invite(api, as_json=as_json)

    run_to_end(let_in)


@group.command()
def rename(
    client: Which, name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")], data: Data = None
) -> None:
    """Give a machine another name."""
    from semo import clients

    async def call_it() -> None:
        async with office_of(data) as api:
            await clients.rename(api, client, name)

    run_to_end(call_it)


@group.command()
def drain(
    client: Which,
    off: Annotated[bool, typer.Option("--off", help="It takes new work again.")] = False,
    data: Data = None,
) -> None:
    """Have a machine take no new work; it finishes what it has."""
    from semo import clients

    async def drain_it() -> None:
        async with office_of(data) as api:
            await clients.drain(api, client, off=off)

    run_to_end(drain_it)


@group.command()
def revoke(client: Which, data: Data = None) -> None:
    """Shut a machine out, for good."""
    from semo import clients

    async def shut_out() -> None:
        async with office_of(data) as api:
            await clients.revoke(api, client)

    run_to_end(shut_out)
