"""`semo pr`: branches of agents on their way to others, and which of them would conflict."""

from typing import Annotated, Literal

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end

group = typer.Typer(name="pr", help="Pull requests, and conflicts to come.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="An id or its beginning, or the branch.")]


@group.command("list")
def list_all(
    state: Annotated[list[str] | None, typer.Option(help="Only these, such as open or conflict.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show the pull requests of the office, newest first, and what each waits for."""
    from semo.gitwork import list_pull_requests

    async def show() -> None:
        async with office_of(data) as api:
            await list_pull_requests(api, state or [], as_json=as_json)

    run_to_end(show)


@group.command("open")
def open_one(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The id of the session whose branch it is.")],
    title: Annotated[str | None, typer.Option(help="[ROLE] is put in front of it; default: the task.")] = None,
    body: Annotated[str | None, typer.Option(help="What it is about; the changed files are listed below it.")] = None,
    base: Annotated[str | None, typer.Option(help="The branch it goes into.")] = None,
    after: Annotated[list[str] | None, typer.Option(help="Ids of pull requests to be merged before it.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Push a session's branch, and open a pull request where its machine can."""
    from semo.gitwork import open_pull_request

    wish = {"session_id": session, "title": title, "body": body, "base": base, "after": after or []}

    async def publish() -> None:
        async with office_of(data) as api:
            await open_pull_request(api, wish, as_json=as_json)

    run_to_end(publish)


@group.command()
def merge(
    name: Id,
    method: Annotated[Literal["merge", "squash", "rebase"], typer.Option()] = "merge",
    keep_worktree: Annotated[bool, typer.Option("--keep-worktree", help="Its worktree and branch stay.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait while it is being merged.")] = True,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Merge it, after those that come before it. In a conflict nothing is changed, and the files are named."""
    from semo.gitwork import merge_pull_request

    async def ask() -> None:
        async with office_of(data) as api:
            await merge_pull_request(api, name, method, keep=keep_worktree, wait=wait, as_json=as_json)

    run_to_end(ask)


@group.command()
def conflicts(data: Data = None, as_json: Json = False) -> None:
    """Show which branches that agents work on would conflict, were they merged now."""
    from semo.gitwork import show_conflicts

    async def show() -> None:
        async with office_of(data) as api:
            await show_conflicts(api, as_json=as_json)

    run_to_end(show)
