"""Takes worktrees in a process of its own and keeps them until its stdin ends: REPOSITORY WORKSPACE ROLE HOW_MANY."""

import asyncio
import json
import sys
from pathlib import Path

from remote_client.worktrees import Worktrees


async def main(repository: str, workspace: str, role: str, how_many: str) -> None:
    worktrees = Worktrees(Path(repository), Path(workspace))
    taken = await asyncio.gather(*(worktrees.take(role, None) for _ in range(int(how_many))))
    for one in taken:
        print(json.dumps({"path": str(one.path), "branch": one.branch}), flush=True)  # noqa: T201  its answer
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
