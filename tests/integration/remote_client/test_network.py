"""The network between a machine and its office goes away and comes back: what is told is true, and work goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.integration.remote_client.office import WAIT_SECONDS, Machine, Office
from tests.support.gateway import Project
from tests.support.network import Network, network_to

DONE = {"role": "BE", "text": "echo '[SEMO:DONE]'"}
PACE = {"quiet_seconds": 1.0, "request_timeout_seconds": 5.0}
NEVER = 3600.0
Cut = Callable[[Network], None]


@pytest_asyncio.fixture(loop_scope="session")
async def network(project: Project) -> AsyncIterator[Network]:
    port = urlsplit(project.url).port
    assert port is not None
    async with network_to(port) as network:
        yield network


@pytest_asyncio.fixture(loop_scope="session")
async def laptop(project: Project, network: Network, repository: Path, tmp_path: Path) -> AsyncIterator[Machine]:
    """A machine that reaches its office by the network alone."""
    there = Project(f"http://127.0.0.1:{network.port}", project.keys, project.database, project.http)
    try:
        async with Office.founded(there) as office:
            laptop = await office.enrol("laptop", tmp_path / "laptop", repository)
            try:
                yield laptop
            finally:
                network.restore()
                await laptop.stop()
    finally:
        await there.close()


class Told:
    """What a client says of its connection, from the beginning of the block."""

    def __init__(self, lines: list[Any]) -> None:
        self._lines = lines
        self._read = 0

    async def until(self, state: str) -> list[str]:
        """What was said up to the first words that begin so; from there on with the next call."""
        said: list[str] = []
        async with asyncio.timeout(WAIT_SECONDS * 2):
            while not said or not said[-1].startswith(state):
                while self._read == len(self._lines):  # noqa: ASYNC110  a log has no event
                    await asyncio.sleep(0.02)
                line = self._lines[self._read]
                self._read += 1
                if line["event"] == "connection":
                    said.append(line["state"])
        return said


@contextmanager
def told() -> Generator[Told]:
    with capture_logs() as lines:
        yield Told(lines)


async def shown(laptop: Machine, state: str) -> None:
    """The office says so, too."""
    query = "select 1 from remote_clients where id = %s and connection::text = %s"
    await laptop.office.until_true(query, laptop.client_id, state)


@pytest.mark.parametrize("cut", [Network.swallow, Network.reset], ids=["packets vanish", "connections are reset"])
async def test_a_client_is_offline_while_the_network_is_and_back_when_it_is(
    network: Network, laptop: Machine, cut: Cut
) -> None:
    with told() as says:
        await laptop.start(**PACE)
        await says.until("live")
        await shown(laptop, "live")
        cut(network)
        assert "live" not in await says.until("offline since ")
        asked = await laptop.office.ask("send_prompt", DONE)
        network.restore()
        assert (await laptop.office.until(asked)).status == "completed"
        await says.until("live")
        await shown(laptop, "live")


async def test_hints_alone_come_again_after_an_outage(network: Network, laptop: Machine) -> None:
    with told() as says:
        await laptop.start(**PACE, poll_seconds=NEVER)
        await says.until("live")
        network.swallow()
        await says.until("offline since ")
        network.restore()
        await says.until("live")
        assert (await laptop.office.do("send_prompt", DONE)).status == "completed"


async def test_work_that_waited_is_taken_as_soon_as_the_database_answers(network: Network, laptop: Machine) -> None:
    with told() as says:
        await laptop.start(**PACE, poll_seconds=NEVER, realtime=False)
        network.swallow()
        await says.until("offline since ")
        asked = await laptop.office.ask("send_prompt", DONE)
        network.restore()
        assert (await laptop.office.until(asked)).status == "completed"
        assert "live" not in await says.until("polling")


async def test_without_realtime_it_is_polling_and_says_so(network: Network, laptop: Machine) -> None:
    with told() as says:
        await laptop.start(**PACE)
        await says.until("live")
        network.swallow(realtime_alone=True)
        assert await says.until("polling") == ["polling"], "the database answers: not offline"
        await shown(laptop, "polling")
        assert (await laptop.office.do("send_prompt", DONE)).status == "completed"
        network.restore()
        assert await says.until("live") == ["live"]


async def test_a_slow_network_is_live_and_works(network: Network, laptop: Machine) -> None:
    with told() as says:
        network.slow(0.15)
        await laptop.start(**PACE)
        await says.until("live")
        assert (await laptop.office.do("send_prompt", DONE)).status == "completed"
        await shown(laptop, "live")


async def test_a_client_that_is_stopped_while_the_network_is_away_ends_in_order(
    network: Network, laptop: Machine
) -> None:
    with told() as says:
        await laptop.start(**PACE, stop_seconds=1)
        await says.until("live")
        network.reset()
        await says.until("offline since ")
        await laptop.told_to_stop()


async def test_a_client_that_starts_without_a_network_is_offline_until_there_is_one(
    network: Network, laptop: Machine
) -> None:
    network.reset()
    with told() as says:
        starting = asyncio.create_task(laptop.start(**PACE))
        await asyncio.wait([starting], timeout=1)
        network.restore()
        await starting
        assert (await says.until("live"))[0] == "polling", "the first thing that it is, once the office answers"
