"""`semo exec`: prompts into the queue; `semo execution`: single attempts at jobs."""

from typing import Annotated

import typer

from semo import console
from semo.cli.options import Data, Json, office_of
from semo.cli.plan import Follow, followed
from semo.cli.running import run_to_end
from semo.problems import Exit

group = typer.Typer(name="execution", help="Executions: single attempts at jobs.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.")]


@group.command("list")
def list_all(
    active: Annotated[bool, typer.Option("--active", help="Only those that are pending or running.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show the newest, and why those wait that do."""
    from semo import executions

    run_to_end(lambda: executions.list_all(office_of(data), active=active, as_json=as_json))


@group.command()
def show(execution: Id, data: Data = None, as_json: Json = False) -> None:
    """Show one: its job, its session, and what came of it."""
    from semo import executions

    run_to_end(lambda: executions.show(office_of(data), execution, as_json=as_json))


@group.command()
def follow(execution: Id, data: Data = None) -> None:
    """Show what its terminal shows, from its beginning to its end; exit 0 only when it is completed."""
    from semo import executions

    run_to_end(lambda: executions.follow(office_of(data), execution))


@group.command()
def kill(execution: Id, data: Data = None) -> None:
    """Interrupt one; its job is cancelled."""
    from semo import executions

    run_to_end(lambda: executions.kill(office_of(data), execution))


@group.command()
def clean(
    days: Annotated[int, typer.Option(min=0, help="Those that ended longer ago.")] = 30,
    data: Data = None,
) -> None:
    """Remove old ones, but for the latest of each job."""
    from semo import executions

    run_to_end(lambda: executions.clean(office_of(data), days))


def execute(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="PROMPT…")] = None,
    role: Annotated[str | None, typer.Option(help="Who does them, such as BE or QA.")] = None,
    data: Data = None,
    agent: Annotated[str | None, typer.Option(help="As the machine's policy names it.")] = None,
    model: Annotated[str | None, typer.Option(help="Of the agent.")] = None,
    mcp: Annotated[str | None, typer.Option(help="MCP servers, as the machine's policy names them.")] = None,
    resume: Annotated[str | None, typer.Option(help="The agent's own conversation to go on with.")] = None,
    template: Annotated[str | None, typer.Option(help="One of semo template, instead of prompts.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value, of the template.")
    ] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Higher goes first.")] = 0,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Queue prompts; they run as soon as limits allow."""

    async def do() -> Exit:
        from semo.executions import wish_of

        texts = prompts or []
        place = {"role": role, "agent": agent, "model": model, "mcp": mcp}
        body = wish_of(texts, place, template, parameter or [], {"priority": priority or None, "resume": resume})
        async with office_of(data) as api:
            queued = await api.post("/executions", body)
            if as_json and not follow:
                console.machine(queued)
            elif not as_json:
                told = "1 prompt" if len(body["prompts"]) == 1 else f"{len(body['prompts'])} prompts"
                console.good(f"queued: {told} · plan {queued['plan_id']}")
            if not follow:
                return Exit.DONE
            return await followed(api, await api.get(f"/plans/{queued['plan_id']}"), as_json=as_json)

    run_to_end(do)
