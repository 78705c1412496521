"""Does one of everything to worktrees, in a process of its own that may be killed at any call of git."""

import asyncio
import sys
from pathlib import Path

from remote_client.worktrees import Worktrees


async def main(repository: str, workspace: str) -> None:
    worktrees = Worktrees(Path(repository), Path(workspace))
    await worktrees.take("BE", "made")
    await worktrees.sync(await worktrees.take("BE", "synced"))
    await worktrees.freshen(await worktrees.take("BE", None))
    await worktrees.take("BE", "pruned")
    await worktrees.remove(await worktrees.take("BE", "removed"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
