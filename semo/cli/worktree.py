"""`semo worktree`: what agents left in their worktrees on this machine."""

from typing import Annotated, Literal

import typer

from semo.cli.options import Json, PolicyFile, client_settings
from semo.cli.running import run_to_end

group = typer.Typer(name="worktree", help="What agents left in their worktrees on this machine.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ROLE/TASK", help="As `semo worktree list` shows it.")]


@group.command("list")
def list_all(policy: PolicyFile = None, as_json: Json = False) -> None:
    """Show every worktree, and whether work in it is uncommitted or unmerged."""
    from semo.worktree import show

    run_to_end(lambda: show(client_settings(None, policy).policy, as_json=as_json))


@group.command()
def sync(
    name: Name,
    policy: PolicyFile = None,
    by: Annotated[
        Literal["rebase", "merge"] | None, typer.Option(help="Default: rebase what was not pushed, else merge.")
    ] = None,
    fetch: Annotated[bool, typer.Option(help="Fetch what the base follows first.")] = True,
) -> None:
    """Bring a worktree up to its base. In a conflict nothing is changed, and the files are named."""
    from semo.worktree import SyncBy, sync

    run_to_end(lambda: sync(client_settings(None, policy).policy, name, SyncBy(by) if by else None, fetch=fetch))


@group.command()
def remove(
    name: Name,
    policy: PolicyFile = None,
    even_with_work: Annotated[bool, typer.Option("--even-with-work", help="Lose what is in it.")] = False,
) -> None:
    """Remove a worktree and its branch; never with uncommitted or unmerged work, unless told."""
    from semo.worktree import remove

    run_to_end(lambda: remove(client_settings(None, policy).policy, name, even_with_work=even_with_work))
