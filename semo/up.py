"""`semo up`: a whole office in the foreground until Ctrl-C, with parts that die started again."""

from pathlib import Path

from semo import console
from semo.folder import DataFolder
from semo.stack import Stack, Wishes


async def serve_until_stopped(folder: DataFolder, port: int, repository: Path | None) -> None:
    """Runs until cancelled, then stops everything in order."""
    async with Stack(Wishes(folder=folder, port=port, repository=repository), console.step) as stack:
        console.good(f"the office is open at {stack.status.office_url}")
        console.step(f"data and logs are in {folder.path}; agents work in {stack.repository}")
        console.step("try: semo run \"echo hello; echo '[SEMO:DONE]'\" --role BE")
        console.step("Ctrl-C closes it; everything is kept")
        try:
            await stack.keep_running()
        finally:
            console.step("closing the office")
    console.good("closed")
