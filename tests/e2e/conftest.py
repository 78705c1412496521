"""One office for all end-to-end tests that do not break it, and one with Claude Code for those that need it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.claude_office import ClaudeOffice
from tests.support.running_office import RunningOffice


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningOffice]:
    running = await RunningOffice.open(tmp_path_factory.mktemp("office") / "data")
    yield running
    await running.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ClaudeOffice]:
    async with ClaudeOffice.running(tmp_path_factory.mktemp("claude")) as office:
        yield office
