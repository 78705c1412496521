"""`semo members`: the people of an office, for its admins."""

from typing import Annotated

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end
from shared.states import MemberRole

group = typer.Typer(name="members", help="The people of an office: for its admins.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Under which Supabase Auth has them.")]
Role = Annotated[MemberRole, typer.Option(help="viewer: looks; operator: acts; admin: decides who may.")]


@group.command("list")
def show(data: Data = None, as_json: Json = False) -> None:
    """Show who may do what in the office."""
    from semo import members

    async def list_them() -> None:
        async with office_of(data) as api:
            await members.show(api, as_json=as_json)

    run_to_end(list_them)


@group.command()
def add(email: Email, role: Role = MemberRole.VIEWER, data: Data = None, as_json: Json = False) -> None:
    """Let a person in. Whom the Supabase project does not know yet gets a user and a password, shown once."""
    from semo import members

    async def let_in() -> None:
        async with office_of(data) as api:
            await members.add(api, email, role, as_json=as_json)

    run_to_end(let_in)


@group.command()
def change(email: Email, role: Role, data: Data = None) -> None:
    """Give a person another role."""
    from semo import members

    async def change_it() -> None:
        async with office_of(data) as api:
            await members.change(api, email, role)

    run_to_end(change_it)


@group.command()
def remove(email: Email, data: Data = None) -> None:
    """Take a person out of the office; their user in Supabase stays."""
    from semo import members

    async def take_out() -> None:
        async with office_of(data) as api:
            await members.remove(api, email)

    run_to_end(take_out)
