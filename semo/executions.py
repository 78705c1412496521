"""`semo exec` and `semo execution`: single attempts at jobs, queued, listed, followed live and killed."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from semo import console
from semo.office_api import OfficeApi
from semo.plan import STYLES
from semo.problems import Exit, SemoError
from semo.templates import parameters_of
from shared.terminal_text import TerminalText

Office = AbstractAsyncContextManager[OfficeApi]
_PAGE = 200
_SHOWN = 50
_STYLES = STYLES | {"completed": "green", "killed": "dim"}


async def resolve(api: OfficeApi, wanted: str) -> dict[str, Any]:
    """The execution of which `wanted` is the id, or its beginning."""
    if len(wanted) == 36:
        return await api.get(f"/executions/{wanted}")
    before: int | None = None
    while len(wanted) >= 4:
        page = await api.get("/executions", before=before, limit=_PAGE)
        if found := [one for one in page["executions"] if str(one["id"]).startswith(wanted)]:
            return found[0]
        if (before := page["next"]) is None:
            break
    raise SemoError(f'there is no execution "{wanted}"', do="semo execution list shows the newest")


def wish_of(
    prompts: Sequence[str],
    place: Mapping[str, Any],
    template: str | None,
    parameters: Sequence[str],
    each: Mapping[str, Any],
) -> dict[str, Any]:
    """What POST …/executions takes. `each`: what every one of the jobs has.

    Raises:
        SemoError: neither prompts nor a template are given, or both.
    """
    if bool(prompts) == (template is not None):
        raise SemoError("give prompts, or a template and its parameters", exit_code=Exit.USAGE)
    said = {name: value for name, value in each.items() if value is not None}
    jobs: list[dict[str, Any]] = [{"prompt": prompt} | said for prompt in prompts]
    if template is not None:
        jobs = [{"template": template, "parameters": parameters_of(parameters)} | said]
    return {"prompts": jobs, "defaults": {name: value for name, value in place.items() if value is not None}}


async def list_all(office: Office, *, active: bool, as_json: bool) -> None:
    async with office as api:
        found = (await api.get("/executions", active=str(active).lower(), limit=_SHOWN))["executions"]
    if as_json:
        console.machine(found)
        return
    if not found:
        console.step("nothing runs" if active else "nothing ran yet; semo exec queues prompts")
        return
    rows = Table("execution", "job", "try", "role", "status", "began", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for one in found:
        why = one["waiting_reason"] or one["error"] or ""
        status = Text(one["status"], style=_STYLES.get(one["status"], ""))
        rows.add_row(str(one["id"])[:8], Text(one["name"]), str(one["number"]), one["role"],
                     status.append(f" · {why}" if why else "", style="dim"), _minute(one["created_at"]))  # fmt: skip
    console.out.print(rows)


async def show(office: Office, wanted: str, *, as_json: bool) -> None:
    async with office as api:
        found = await resolve(api, wanted)
    if as_json:
        console.machine(found)
        return
    console.out.print(f"execution {found['id']}", style="bold")
    said: Mapping[str, Any] = {
        "job": f"{found['name']} ({found['role']}), try {found['number']}", "status": found["status"],
        "waits": found["waiting_reason"], "outcome": found["outcome"], "failed by": found["failure_kind"],
        "error": found["error"], "session": found["session_id"], "began": found["created_at"],
        "ended": found["finished_at"], "prompt": found["prompt"],
    }  # fmt: skip
    for name, value in said.items():
        if value is not None:
            console.out.print(f"  {name:<9} {value}", markup=False)


async def follow(office: Office, wanted: str) -> Exit:
    """What it shows in its terminal from its beginning on, and how it ended."""
    async with office as api:
        execution = await resolve(api, wanted)
        shown = TerminalText("shell")
        async for told in api.stream(f"/executions/{execution['id']}/events"):
            if told.event == "output":
                console.out.print(shown.feed(told.data["output"]), end="", markup=False)
            elif told.event == "completed":
                console.out.print(shown.finish(), end="", markup=False)
                console.good(f"{execution['name']} is completed")
                return Exit.DONE
            elif told.event in ("failed", "killed"):
                console.out.print(shown.finish(), end="", markup=False)
                why = f": {told.data['error']}" if told.data.get("error") else ""
                console.bad(SemoError(f"{execution['name']} is {told.event}{why}"))
                return Exit.NOT_DONE
    raise SemoError("the office stopped telling of it", do=f"semo execution show {execution['id']}")


async def kill(office: Office, wanted: str) -> None:
    async with office as api:
        execution = await resolve(api, wanted)
        await api.post(f"/executions/{execution['id']}/kill", {})
    console.good(f"{execution['name']} is interrupted, and its job cancelled")


async def clean(office: Office, days: int) -> None:
    async with office as api:
        before = datetime.now(UTC) - timedelta(days=days)
        removed = (await api.delete("/executions", before=before.isoformat()))["removed"]
    console.good(f"removed: {removed} executions that ended more than {days} days ago")


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
