"""`semo approvals`, `semo approve` and `semo deny`: what agents ask leave for."""

from typing import Annotated

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end

ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="As `semo approvals` shows it.")]


def approvals(
    data: Data = None,
    every: Annotated[bool, typer.Option("--all", help="Also what has been answered.")] = False,
    as_json: Json = False,
) -> None:
    """Show what agents ask leave for and wait to be answered."""
    from semo.approvals import show

    async def show_them() -> None:
        async with office_of(data) as api:
            await show(api, every=every, as_json=as_json)

    run_to_end(show_them)


def approve(approval_id: ApprovalId, data: Data = None) -> None:
    """Let an agent do the one thing that it asks leave for."""
    _answer(approval_id, "approve", None, data)


def deny(
    approval_id: ApprovalId,
    because: Annotated[str | None, typer.Option("--because", metavar="WHY", help="What the agent is told.")] = None,
    data: Data = None,
) -> None:
    """Forbid it; the agent goes on without."""
    _answer(approval_id, "deny", because, data)


def _answer(approval_id: str, verb: str, message: str | None, data: Data) -> None:
    from semo.approvals import answer

    async def tell() -> None:
        async with office_of(data) as api:
            await answer(api, approval_id, verb, message)

    run_to_end(tell)
