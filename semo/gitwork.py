"""`semo pr`, `semo plan evidence`: agents' branches on their way to others, and what work is held to.

Shows what the office says and asks it for what is wished; git is the business of the machines.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

LOOK_SECONDS = 0.5
_MOVING = ("publishing", "merging")
Row = Mapping[str, Any]


async def list_pull_requests(api: OfficeApi, states: list[str], *, as_json: bool) -> None:
    found = (await api.get("/pull-requests", state=states or None))["pull_requests"]
    if as_json:
        console.machine(found)
        return
    table = Table("id", "branch", "state", "checks", "pull request", "", box=None, pad_edge=False)
    for one in found:
        what = f"#{one['number']}" if one["number"] else ""
        table.add_row(one["id"][:8], one["branch"], one["state"], one["checks"] or "", what, _why(one))
    console.table(table) if found else console.step("none yet; publish a branch with: semo pr open SESSION")


async def open_pull_request(api: OfficeApi, wish: dict[str, Any], *, as_json: bool) -> None:
    """Has a branch published, and follows that to its end."""
    row = await _until_settled(api, await api.post("/pull-requests", wish))
    if as_json:
        console.machine(row)
    if row["state"] in ("failed", "closed"):
        raise SemoError(f"{row['branch']} was not published: {row['problem'] or row['state']}", exit_code=Exit.NOT_DONE)
    if not as_json:
        where = row["url"] or f"pushed to {row['base']}'s remote"
        console.good(f"{row['branch']} · {row['title']} · {where}")
        for line in (row["missing"], *row["notes"]):
            if line:
                console.step(line)


async def merge_pull_request(api: OfficeApi, name: str, method: str, *, keep: bool, wait: bool, as_json: bool) -> None:
    """Asks for a merge, and unless told otherwise waits while it is being done."""
    found = await _one(api, name)
    row = await api.post(f"/pull-requests/{found['id']}/merge", {"method": method, "keep_worktree": keep})
    if wait:
        row = await _until_settled(api, row)
    if as_json:
        console.machine(row)
    if row["state"] == "conflict":
        raise SemoError(
            row["problem"] or f"{row['branch']} conflicts with {row['base']} in {', '.join(row['files'])}",
            kept="nothing was changed",
            do=f"have its session rebase on {row['base']}, publish and merge again",
            exit_code=Exit.NOT_DONE,
        )
    if row["problem"]:
        raise SemoError(row["problem"], kept="nothing was changed", exit_code=Exit.NOT_DONE)
    if as_json:
        return
    if row["state"] == "merged":
        console.good(f"{row['branch']} is merged into {row['base']} · worktree: {row['worktree']}")
    else:
        console.step(f"{row['branch']} is {row['state']}; {_why(row)}")


async def show_conflicts(api: OfficeApi, *, as_json: bool) -> None:
    found = await api.get("/conflicts")
    if as_json:
        console.machine(found)
        return
    for one in found["conflicts"]:
        more = f" and {one['files_total'] - len(one['files'])} more" if one["files_total"] > len(one["files"]) else ""
        yet = " (not committed yet)" if one["uncommitted"] else ""
        console.out.print(f"  {one['branches'][0]} ✕ {one['branches'][1]}{yet}", markup=False)
        console.step(f"  {', '.join(one['files'])}{more} · since {one['since'][:16].replace('T', ' ')} UTC")
    for machine in found["machines"]:
        if machine["problem"]:
            console.step(f"{machine['name']} cannot look: {machine['problem']}")
    if not found["conflicts"]:
        count = sum(len(machine["branches"]) for machine in found["machines"])
        console.good(f"no two of {count} live branches with work in them would conflict")


async def show_evidence(api: OfficeApi, job: str | None, *, as_json: bool) -> None:
    """Of a job; without one, what people are asked."""
    found = (await api.get(f"/jobs/{job}/evidence"))["evidence"] if job else (await api.get("/evidence"))["questions"]
    if as_json:
        console.machine(found)
        return
    table = Table("id", "round", "condition", "status", "known by", "", box=None, pad_edge=False)
    for one in found:
        [(kind, value)] = one["condition"].items()
        what = kind if value is True else f"{kind} {value}"
        said = one["detail"].get("error") or one["detail"].get("comment") or ""
        table.add_row(one["id"][:8], str(one["round"]), what, one["status"], one["known_by"] or "", said)
    console.table(table) if found else console.step(
        "nobody is asked anything" if job is None else "it has no conditions"
    )


async def answer_evidence(api: OfficeApi, name: str, comment: str | None, *, yes: bool) -> None:
    asked = (await api.get("/evidence"))["questions"]
    hits = [one for one in asked if one["id"].startswith(name)]
    if len(hits) != 1:
        raise SemoError(
            f"{'several questions begin' if hits else 'nobody is asked anything that begins'} with {name}",
            do="see: semo plan evidence", exit_code=Exit.USAGE,
        )  # fmt: skip
    await api.post(f"/evidence/{hits[0]['id']}/answer", {"yes": yes, "comment": comment})
    console.good(f"{hits[0]['condition']['person']} · {'yes' if yes else 'no'}")


def _why(row: Row) -> str:
    if row["files"]:
        return f"conflicts in {', '.join(row['files'][:5])}"
    if row["merge_wanted_at"] and row["waits_for"]:
        return f"waits for {', '.join(one['branch'] for one in row['waits_for'])}"
    return str(row["problem"] or row["missing"] or row["worktree"] or "")


async def _one(api: OfficeApi, name: str) -> Row:
    """The pull request of a branch, or with that id or its beginning."""
    found = (await api.get("/pull-requests"))["pull_requests"]
    hits = [one for one in found if name == one["branch"]][:1] or [one for one in found if one["id"].startswith(name)]
    if len(hits) != 1:
        raise SemoError(
            f"{'several pull requests begin' if hits else 'there is no pull request'} with {name}",
            do="see: semo pr list", exit_code=Exit.USAGE,
        )  # fmt: skip
    return hits[0]


async def _until_settled(api: OfficeApi, row: Row) -> Row:
    """The pull request once no machine is at it."""
    while row["state"] in _MOVING:
        await asyncio.sleep(LOOK_SECONDS)
        row = await api.get(f"/pull-requests/{row['id']}")
    return row
