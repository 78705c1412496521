"""`semo template`: prompts with parameters."""

from pathlib import Path
from typing import Annotated

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end

group = typer.Typer(
    name="template", help="Templates: prompts with parameters, version by version.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name; NAME@2 is its second version.")]


@group.command("list")
def list_all(data: Data = None, as_json: Json = False) -> None:
    """Show the newest version of each."""
    from semo import templates

    run_to_end(lambda: templates.list_all(office_of(data), as_json=as_json))


@group.command()
def show(name: Name, data: Data = None) -> None:
    """Print the text of one, to be changed and saved again."""
    from semo import templates

    run_to_end(lambda: templates.show(office_of(data), name))


@group.command()
def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file; {{name}} in it is a parameter.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name, or name=value where a job need not say it.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="Of its jobs, unless they say another.")] = None,
    agent: Annotated[str | None, typer.Option(help="The same.")] = None,
    model: Annotated[str | None, typer.Option(help="The same.")] = None,
    data: Data = None,
) -> None:
    """Save it as the next version. A version never changes."""
    from semo import templates

    place = {"role": role, "agent": agent, "model": model}
    defaults = {name: said for name, said in place.items() if said is not None}
    run_to_end(
        lambda: templates.save(
            office_of(data), name, file, templates.parameters_of(parameter or [], may_be_bare=True), defaults
        )
    )
