"""`semo up`: a whole office in the foreground until Ctrl-C, with parts that die started again."""

import asyncio
import contextlib
from pathlib import Path

from semo import console
from semo.folder import DataFolder
from semo.stack import Stack, Wishes


async def serve_until_stopped(folder: DataFolder, port: int, repository: Path | None, *, dashboard: bool) -> None:
    """Runs until cancelled, which is how it is meant to end, then stops everything in order."""
    wishes = Wishes(folder=folder, port=port, repository=repository, dashboard=dashboard)
    async with Stack(wishes, console.step) as stack:
        console.good(f"the office is open at {stack.status.office_url}")
        if dashboard:
            console.step(f"its pages are at {stack.status.office_url}/dashboard/ (to sign in: semo dashboard)")
        console.step(f"data and logs are in {folder.path}")
        console.step(f"where agents may work, and what may run, stands in {folder.policy}")
        console.step("try: semo run \"echo hello; echo '[SEMO:DONE]'\" --role BE")
        console.step("Ctrl-C closes it; everything is kept")
        with contextlib.suppress(asyncio.CancelledError):
            await stack.keep_running()
    console.good("closed")
