"""Real hosts in processes of their own, each test with a folder, a client and terminals of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from remote_client.ptyhost.host_terminals import HostTerminals
from tests.integration.ptyhost.terminals import hosted


@pytest_asyncio.fixture
async def terminals(tmp_path: Path) -> AsyncIterator[HostTerminals]:
    async with hosted(tmp_path / "host") as terminals:
        yield terminals
