"""`semo status`: whether an office is open, and who in it does what."""

import asyncio
from dataclasses import asdict
from typing import Any

from semo import console
from semo.folder import DataFolder, Status
from semo.office_api import OfficeApi
from semo.pool_view import draw

_SHOWN = 10
"""Waiting commands; a person who wants more has --json."""


async def show(elsewhere: OfficeApi | None, folder: DataFolder, *, as_json: bool) -> None:
    """Prints the state of the office `elsewhere`, else of the one that runs on `folder`.

    Raises:
        SemoError: it does not run, or is not ready.
    """
    known: Status | None = None if elsewhere else folder.read_status()
    async with elsewhere or OfficeApi.of(folder.read_status()) as api:
        await api.get("/readyz")
        if as_json:
            pool = await api.get("/pool")
            console.machine((asdict(known) if known else {"office_url": api.office_url}) | {"pool": pool})
            return
        pool = await api.get("/pool", pending=_SHOWN)
        holders = await _holders(api, pool)
    console.good(f"the office is open at {api.office_url}")
    draw(pool, holders)


async def _holders(api: OfficeApi, pool: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The commands in whose hands sessions are, by id."""
    ids: list[str] = [one["acquired_by"] for one in pool["sessions"] if one["acquired_by"]]
    found = await asyncio.gather(*(api.get(f"/commands/{command_id}") for command_id in ids))
    return dict(zip(ids, found, strict=True))
