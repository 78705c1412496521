"""`semo plan`: many prompts as one plan; `semo stop`: the end of everything in an office."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from semo import console
from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end
from semo.office_api import OfficeApi
from semo.problems import Exit

group = typer.Typer(name="plan", help="Plans: waves, epics, graphs and queues of prompts.", no_args_is_help=True)

PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="Its id, the beginning of it, or its name.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="Its name, or its id.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show it live until it is over.")]


@group.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML, or JSON in a .json file (docs/plans.md).")],
    data: Data = None,
    follow: Follow = False,
    key: Annotated[str | None, typer.Option(help="Applying again with the same key makes the plan once.")] = None,
    as_json: Json = False,
) -> None:
    """Make a plan from a file, all of it or nothing. With --follow, exit 0 only when it is done."""

    async def do() -> Exit:
        from semo import plan as plans

        async with office_of(data) as api:
            made = await plans.apply(api, file, key)
            if as_json and not follow:
                console.machine(made)
                return Exit.DONE
            if not as_json:
                console.good(f"plan {made['name']} is made: {made['progress']['total']} jobs · {made['id']}")
            return await followed(api, made, as_json=as_json) if follow else Exit.DONE

    run_to_end(do)


@group.command("list")
def list_plans(data: Data = None, as_json: Json = False) -> None:
    """The newest plans, and how far they are."""

    async def do() -> None:
        async with office_of(data) as api:
            plans = (await api.get("/plans"))["plans"]
        if as_json:
            console.machine(plans)
            return
        rows = Table("plan", "kind", "status", "jobs", "over", "made", box=None)
        for plan in plans:
            progress = plan["progress"]
            rows.add_row(f"{plan['name']} {str(plan['id'])[:8]}", plan["kind"], plan["status"], str(progress["total"]),
                         f"{progress['percent']:g} %", str(plan["created_at"])[:16].replace("T", " "))  # fmt: skip
        console.out.print(rows)

    run_to_end(do)


@group.command()
def show(
    plan: PlanName,
    data: Data = None,
    follow: Follow = False,
    everything: Annotated[bool, typer.Option("--all", help="Every job, of a plan with very many as well.")] = False,
    as_json: Json = False,
) -> None:
    """How far a plan is, and why each job that waits does. With --follow, live, and exit 0 only when it is done."""

    async def do() -> Exit:
        from semo import plan as plans

        async with office_of(data) as api:
            found = await plans.resolve(api, plan)
            if follow:
                return await followed(api, found, as_json=as_json)
            if as_json:
                console.machine(found | {"jobs": await plans.jobs_of(api, found)})
            else:
                await plans.show(api, found, everything=everything)
            return Exit.DONE

    run_to_end(do)


@group.command()
def graph(
    plan: PlanName,
    data: Data = None,
    form: Annotated[Literal["text", "mermaid"], typer.Option("--format", help="mermaid: a flow chart.")] = "text",
) -> None:
    """What waits for what."""

    async def do() -> None:
        from semo import plan as plans
        from semo import plan_graph

        draw = plan_graph.as_text if form == "text" else plan_graph.as_mermaid
        async with office_of(data) as api:
            found = await plans.resolve(api, plan)
            drawn = draw(found, await plans.jobs_of(api, found))
        console.out.print(drawn, markup=False)

    run_to_end(do)


@group.command()
def pause(plan: PlanName, data: Data = None) -> None:
    """Start nothing more of it; what runs goes on."""
    _steer(plan, data, "pause", "is paused; what runs goes on")


@group.command()
def resume(plan: PlanName, data: Data = None) -> None:
    """Go on with a paused plan."""
    _steer(plan, data, "resume", "goes on")


@group.command()
def cancel(plan: PlanName, data: Data = None) -> None:
    """Withdraw a plan; what runs of it is interrupted."""
    _steer(plan, data, "cancel", "is cancelled; what runs is interrupted")


@group.command()
def retry(
    plan: PlanName,
    job: JobName,
    data: Data = None,
    answer: Annotated[str | None, typer.Option(help="Typed into the session that asked.")] = None,
) -> None:
    """Try a blocked or failed job again, and what was skipped for it."""
    _job(plan, job, data, "retry", {"answer": answer}, "is tried again")


@group.command()
def drop(
    plan: PlanName,
    job: JobName,
    data: Data = None,
    go_on: Annotated[bool, typer.Option("--go-on", help="What waits for it goes on as if it were done.")] = False,
) -> None:
    """Withdraw one job."""
    _job(plan, job, data, "drop", {"go_on": go_on}, "is dropped")


@group.command()
def hurry(
    plan: PlanName,
    job: JobName,
    priority: Annotated[int, typer.Argument(min=-100, max=100, help="Higher goes first; 0 is usual.")],
    data: Data = None,
) -> None:
    """Change the priority of a job that is not over."""

    async def do() -> None:
        from semo import plan as plans

        async with office_of(data) as api:
            found = await plans.resolve_job(api, await plans.resolve(api, plan), job)
            await api.patch(f"/jobs/{found['id']}", {"priority": priority})
        console.good(f"job {found['name']} has the priority {priority}")

    run_to_end(do)


@group.command()
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORD…", help="As of a search engine: -without, or.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show jobs of all plans whose name or prompt has the words, newest first."""

    async def do() -> None:
        from semo import plan as plans

        async with office_of(data) as api:
            jobs: list[dict[str, Any]] = (await api.get("/jobs", search=" ".join(words)))["jobs"]
        if as_json:
            console.machine(jobs)
        elif not jobs:
            console.step("no job has all of these words")
        else:
            for job in jobs:
                console.out.print(plans.job_line(job))

    run_to_end(do)


@group.command()
def limits(
    running: Annotated[int | None, typer.Option(min=1, max=1000, help="Jobs at once in the office.")] = None,
    role: Annotated[
        list[str] | None, typer.Option(metavar="ROLE=N", help="Jobs of a role at once; those not named have no limit.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how many jobs run at once; with options, change it."""

    async def do() -> None:
        from semo import plan as plans

        change = plans.limits_of(running, role or [])
        async with office_of(data) as api:
            found = await (api.patch("/job-limits", change) if change else api.get("/job-limits"))
        if as_json:
            console.machine(found)
            return
        roles = "".join(f", {name} {number}" for name, number in found["roles"].items())
        console.good(f"at once: {found['running']} jobs{roles}")

    run_to_end(do)


def stop(
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Stop all plans, then every session of the office. Asks twice."""
    if not yes:
        typer.confirm("Cancel every plan, and interrupt and end every session of this office?", abort=True)
        typer.confirm("Really everything? Work that is not committed stays in its worktrees.", abort=True)

    async def do() -> None:
        async with office_of(data) as api:
            stopped = await api.post("/stop", {})
        console.good(
            f"stopped: {stopped['plans']} plans, {stopped['commands']} commands, {stopped['sessions']} sessions"
        )

    run_to_end(do)


async def followed(api: OfficeApi, plan: dict[str, Any], *, as_json: bool) -> Exit:
    from semo import plan as plans

    if not as_json:
        return plans.conclude(await plans.follow(api, plan["id"]))
    while plan["finished_at"] is None:
        await asyncio.sleep(0.2)
        plan = await api.get(f"/plans/{plan['id']}")
    console.machine(plan)
    return Exit.DONE if plan["status"] == "done" else Exit.NOT_DONE


def _steer(plan: str, data: Path | None, what: str, said: str) -> None:
    async def do() -> None:
        from semo import plan as plans

        async with office_of(data) as api:
            found = await plans.resolve(api, plan)
            await api.post(f"/plans/{found['id']}/{what}", {})
        console.good(f"plan {found['name']} {said}")

    run_to_end(do)


def _job(plan: str, job: str, data: Path | None, what: str, body: dict[str, Any], said: str) -> None:
    async def do() -> None:
        from semo import plan as plans

        async with office_of(data) as api:
            found = await plans.resolve_job(api, await plans.resolve(api, plan), job)
            await api.post(f"/jobs/{found['id']}/{what}", body)
        console.good(f"job {found['name']} {said}")

    run_to_end(do)
