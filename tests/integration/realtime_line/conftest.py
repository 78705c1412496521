"""A hostile Realtime server for each test."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.hostile_realtime import HostileRealtime, hostile_realtime


@pytest.fixture
async def server() -> AsyncGenerator[HostileRealtime]:
    async with hostile_realtime() as server:
        yield server
