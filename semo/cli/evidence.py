"""Commands of `semo plan` about evidence: what a job is held to before it is done, and a person's yes or no."""

from typing import Annotated, Literal

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end


def evidence(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Its id; default: what people are asked.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what a job is held to and how each is known, or what people are asked."""
    from semo.gitwork import show_evidence

    async def show() -> None:
        async with office_of(data) as api:
            await show_evidence(api, job, as_json=as_json)

    run_to_end(show)


def answer(
    name: Annotated[str, typer.Argument(metavar="ID", help="As `semo plan evidence` shows it.")],
    said: Annotated[Literal["yes", "no"], typer.Argument(metavar="yes|no")],
    comment: Annotated[str | None, typer.Option(help="After a no it goes to the agent.")] = None,
    data: Data = None,
) -> None:
    """Say yes or no to what a job asks of a person; a no goes back to its agent."""
    from semo.gitwork import answer_evidence

    async def say() -> None:
        async with office_of(data) as api:
            await answer_evidence(api, name, comment, yes=said == "yes")

    run_to_end(say)
