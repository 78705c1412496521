"""Two branches that would conflict, as an office tells of them, and as it turns out when they are merged."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.support.git import git

PUSHED_AND_MERGED = "[pull_requests]\npush = true\nmerge = true\n"
"""For a policy: what lets branches of agents go to the remote and into its main."""


def with_origin(repository: Path) -> Path:
    """Gives a repository a bare remote beside it."""
    origin = repository.with_name(f"{repository.name}-origin.git")
    git(repository, "clone", "--quiet", "--bare", str(repository), str(origin))
    git(repository, "remote", "add", "origin", str(origin))
    return origin


async def forecast(api: httpx.AsyncClient, branches: Sequence[str]) -> dict[str, Any]:
    """The pair of these branches, once a machine has named it; the office is asked again and again."""
    async with asyncio.timeout(60):
        while True:
            found = (await api.get("conflicts")).raise_for_status().json()["conflicts"]
            for pair in found:
                if set(pair["branches"]) == set(branches):
                    return pair
            await asyncio.sleep(0.1)


async def merged(api: httpx.AsyncClient, client_id: str, branch: str) -> dict[str, Any]:
    """The pull request of a branch, after it was pushed and the office tried to merge it."""
    asked = await api.post("pull-requests", json={"client_id": client_id, "branch": branch})
    row = await settled(api, asked.raise_for_status().json())
    assert row["state"] == "pushed", row
    asked = await api.post(f"pull-requests/{row['id']}/merge", json={})
    return await settled(api, asked.raise_for_status().json())


async def settled(api: httpx.AsyncClient, row: dict[str, Any]) -> dict[str, Any]:
    """A pull request, once nobody works on it any more."""
    async with asyncio.timeout(60):
        while row["state"] in ("publishing", "merging"):
            row = (await api.get(f"pull-requests/{row['id']}")).raise_for_status().json()
    return row
