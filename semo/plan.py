"""`semo plan`: applies plans and shows how far they are, live with bars or once; speaks to the office only."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

_LOOK_SECONDS = 0.3
_JOBS_FOLLOWED = 15
_JOBS_SHOWN = 200
_OF_INTEREST = ("running", "checking", "blocked", "failed")
"""What somebody may want to act on; the rest waits, or is over."""
STYLES = {
    "done": "green",
    "failed": "red",
    "running": "cyan",
    "blocked": "yellow",
    "skipped": "dim",
    "cancelled": "dim",
}

Row = dict[str, Any]


async def apply(api: OfficeApi, file: Path, key: str | None) -> Row:
    """
    Raises:
        SemoError: the file cannot be read, or the office refused it; its problems have a line each.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SemoError(f"{file} cannot be read: {error.strerror}", exit_code=Exit.USAGE) from error
    media_type = "application/json" if file.suffix == ".json" else "application/yaml"
    return await api.send("/plans", content, media_type, key)


async def resolve(api: OfficeApi, wanted: str) -> Row:
    """The plan of which `wanted` is the id, its beginning, or the name; of several of that name the newest."""
    if len(wanted) == 36:
        return await api.get(f"/plans/{wanted}")
    before: int | None = None
    while True:
        page = await api.get("/plans", before=before, limit=200)
        for plan in page["plans"]:
            if plan["name"] == wanted or (len(wanted) >= 4 and str(plan["id"]).startswith(wanted)):
                return await api.get(f"/plans/{plan['id']}")
        before = page["next"]
        if before is None:
            raise SemoError(f'there is no plan "{wanted}"', do="semo plan list shows those that there are")


async def resolve_job(api: OfficeApi, plan: Row, wanted: str) -> Row:
    for job in await jobs_of(api, plan):
        if wanted in (job["name"], job["id"]) or (len(wanted) >= 8 and str(job["id"]).startswith(wanted)):
            return job
    raise SemoError(f'plan "{plan["name"]}" has no job "{wanted}"', do=f"semo plan show {plan['id']} lists its jobs")


async def jobs_of(api: OfficeApi, plan: Row) -> list[Row]:
    """All jobs of a plan, in their order."""
    jobs: list[Row] = []
    after = 0
    while True:
        page = await api.get(f"/plans/{plan['id']}/jobs", after=after, limit=1000)
        jobs += page["jobs"]
        if page["next"] is None:
            return jobs
        after = page["next"]


def limits_of(running: int | None, roles: Sequence[str]) -> Row:
    """What is to be changed of how many jobs run at once. `roles`: "QA=1" each.

    Raises:
        SemoError: one of them does not look like that.
    """
    change: Row = {} if running is None else {"running": running}
    for one in roles:
        name, _, number = one.partition("=")
        if not number.isdecimal():
            raise SemoError(f'"{one}" names no role and number', do="write: --role QA=1", exit_code=Exit.USAGE)
        change.setdefault("roles", {})[name] = int(number)
    return change


async def follow(api: OfficeApi, plan_id: str) -> Row:
    """Shows bars that move, until the plan is over; what needs a person stands below them. May be left at any time."""
    with Live(console=console.out, auto_refresh=False, transient=False) as live:
        while True:
            plan = await api.get(f"/plans/{plan_id}")
            live.update(picture(plan, await _of_interest(api, plan, _JOBS_FOLLOWED)), refresh=True)
            if plan["finished_at"] is not None:
                return plan
            await asyncio.sleep(_LOOK_SECONDS)


async def _of_interest(api: OfficeApi, plan: Row, limit: int) -> list[Row]:
    wanted = [status for status in _OF_INTEREST if plan["progress"][status]]
    return (await api.get(f"/plans/{plan['id']}/jobs", status=wanted, limit=limit))["jobs"] if wanted else []


def picture(plan: Row, jobs: list[Row]) -> Group:
    """A bar for the plan, one for each wave and lane, and a line for each of the jobs."""
    bars = Table.grid(padding=(0, 1))
    for _ in range(3):
        bars.add_column(no_wrap=True)
    _bar(bars, f"{plan['name']} ({plan['status']})", plan["progress"])
    if plan["kind"] == "waves":
        for stage in plan["stages"]:
            _bar(bars, f"  wave {stage['stage'] + 1}", stage)
    for lane in plan["lanes"]:
        _bar(bars, f"  {lane['name']}", lane)
    return Group(bars, *(job_line(job) for job in jobs))


def _bar(bars: Table, name: str, progress: Row) -> None:
    shown = ("running", "blocked", "done", "failed", "skipped", "cancelled")
    counts = [f"{progress[status]} {status}" for status in shown if progress[status]]
    bar = ProgressBar(total=max(progress["total"], 1), completed=progress["over"], width=30)
    bars.add_row(name, bar, f"{progress['percent']:g} % of {progress['total']} · {', '.join(counts) or 'waiting'}")


def job_line(job: Row) -> Text:
    why = job["waiting_reason"] or (job["error"] if job["status"] in ("failed", "cancelled") else None)
    text = Text(f"  {job['status']:<9} ", style=STYLES.get(job["status"], ""))
    text.append(f"{job['name']} ", style="bold")
    text.append(f"({job['role']}){f' · {why}' if why else ''}", style="dim")
    return text


async def show(api: OfficeApi, plan: Row, *, everything: bool) -> None:
    """Once, with all jobs; of a plan with very many, unless `everything`, with those that somebody may act on."""
    total: int = plan["progress"]["total"]
    whole = everything or total <= _JOBS_SHOWN
    jobs = await jobs_of(api, plan) if whole else await _of_interest(api, plan, _JOBS_SHOWN)
    console.out.print(picture(plan, jobs))
    if len(jobs) < total:
        console.out.print(f"  … and {total - len(jobs)} more: semo plan show {plan['id']} --all", style="dim")


def conclude(plan: Row) -> Exit:
    progress: Row = plan["progress"]
    if plan["status"] == "done":
        console.good(f"plan {plan['name']} is done: {progress['done']} of {progress['total']} jobs")
        return Exit.DONE
    counts = ", ".join(f"{progress[status]} {status}" for status in ("done", "failed", "skipped", "cancelled"))
    do = f"semo plan show {plan['id']} says why; semo plan retry PLAN JOB tries again"
    console.bad(SemoError(f"plan {plan['name']} is {plan['status']}: {counts}", do=do))
    return Exit.NOT_DONE
