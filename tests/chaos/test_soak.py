"""Many prompts in many sessions for a long time, with one new start of the client as after an upgrade: nothing is lost,
nothing grows.

Short in every run; with `-m proof` ten sessions for SEMO_SOAK_MINUTES (30 unless told). SEMO_CHAOS_SEED repeats a run.
"""

import asyncio
import json
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import pytest_asyncio

from tests.chaos.evidence import left_behind, lines_shown
from tests.integration.ptyhost.terminals import host_pid, memory_of, open_descriptors
from tests.integration.remote_client.conftest import project, repository
from tests.integration.remote_client.office import Machine, Office
from tests.support.gateway import Project

__all__ = ["project", "repository"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINUTES = float(os.environ.get("SEMO_SOAK_MINUTES", "30"))
MOST_CONNECTIONS = 10  # eight for calls, one that is heard, and one that takes its place
LINES = 40
FLOOD = "seq 40000"
ONE_FLOODS_IN = 100
OUTCOMES = {"done": "echo '[SEMO:DONE]'", "error": "false", "waiting_input": "true"}
LAST_PROMPTS_SECONDS = 60.0
SAMPLE_SECONDS = 2.0
GROWTH_MB = 16.0


@dataclass(frozen=True)
class Wish:
    number: int
    command: UUID
    outcome: str


@dataclass
class Usage:
    """Of one process, sample by sample: memory of its own in MB, open descriptors, and how many more are connections.

    Connections are kept and made again as calls meet: they have a bound of their own instead of a growth.
    """

    memory_mb: list[float] = field(default_factory=list[float])
    descriptors: list[int] = field(default_factory=list[int])
    connections: list[int] = field(default_factory=list[int])

    def look(self, pid: int) -> None:
        self.memory_mb.append(memory_of(pid) / 1e6)
        self.connections.append(len(psutil.Process(pid).net_connections("tcp")))
        self.descriptors.append(len(open_descriptors(pid)) - self.connections[-1])

    @property
    def growth_mb(self) -> float:
        """From the second fifth of a life, when everything is in use, to the last one."""
        fifth = max(len(self.memory_mb) // 5, 1)
        early, late = self.memory_mb[fifth : 2 * fifth], self.memory_mb[-fifth:]
        return statistics.median(late) - statistics.median(early)

    @property
    def more_descriptors(self) -> int:
        """From one half of a life to the other, at the moments when least is open: what leaks is open then, too."""
        half = max(len(self.descriptors) // 2, 1)
        return min(self.descriptors[half:]) - min(self.descriptors[:half])


@pytest_asyncio.fixture(loop_scope="session")
async def office(project: Project) -> AsyncIterator[Office]:
    async with Office.founded(project) as office:
        yield office


@pytest.mark.parametrize(
    ("sessions", "minutes"),
    [
        pytest.param(3, 0.25, id="short"),
        pytest.param(10, MINUTES, id="whole", marks=[pytest.mark.proof, pytest.mark.timeout(0)]),
    ],
)
async def test_a_long_day_at_the_office_loses_nothing_and_grows_nothing(
    sessions: int,
    minutes: float,
    office: Office,
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = int(os.environ.get("SEMO_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    chance = random.Random(seed)  # noqa: S311
    await office.sql("update offices set session_limit = %s where id = %s", sessions, office.office_id)
    machine = await office.enrol("laptop", tmp_path / "laptop", repository, max_sessions=sessions)
    usage: dict[str, Usage] = {}
    await machine.start_process(sessions_at_stop="keep")
    try:
        asked = Asked(office)
        places = [await office.session(role) for role in (["BE", "FE", "QA", "PM"] * sessions)[:sessions]]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(asked.watch())
            working = [group.create_task(asked.keep_busy(place, chance, over)) for place in places]
            await look_at(machine, "first client", usage, minutes * 30)
            await machine.stop()
            await machine.start_process(sessions_at_stop="keep")
            await look_at(machine, "second client", usage, minutes * 30)
            over.set()
            await asyncio.wait(working)
            watching.cancel()
        await asked.came_true()
        shown = await lines_shown(office)
        assert shown == {wish.number: list(range(1, LINES + 1)) for wish in asked.wishes}, "no line missing or doubled"
    finally:
        await machine.stop()
        await machine.end_terminals()
    assert left_behind(tmp_path) == []
    told = {
        "seed": seed, "minutes": minutes, "sessions": sessions, "prompts": len(asked.wishes),
        "outcomes": Counter(wish.outcome for wish in asked.wishes),
        "growth_mb": {name: round(one.growth_mb, 2) for name, one in usage.items()},
        "memory_mb": {name: round(one.memory_mb[-1], 1) for name, one in usage.items()},
        "client_restarts": 1, "host_restarts": len(usage) - 3,
    }  # fmt: skip
    with capsys.disabled():
        print(f"\n{json.dumps(told)}")  # noqa: T201  the result of a long proof
    assert len(usage) == 3, "two clients, and one host that outlived the first of them"
    for name, one in usage.items():
        assert one.growth_mb < GROWTH_MB, f"{name} grew: {one.memory_mb}"
        assert one.more_descriptors <= 2, f"{name} leaks: {one.descriptors}"
        assert max(one.connections) <= MOST_CONNECTIONS, f"{name} has too many: {one.connections}"


async def look_at(machine: Machine, name: str, usage: dict[str, Usage], seconds: float) -> None:
    """Notes what the client and its host take, for that long."""
    assert machine.process is not None
    client = usage.setdefault(name, Usage())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(min(SAMPLE_SECONDS, seconds / 10))
        assert machine.process.returncode is None, "the client ended by itself"
        client.look(machine.process.pid)
        host = await host_pid(machine.settings().state / "host")
        usage.setdefault(f"host {host}", Usage()).look(host)


class Asked:
    """The prompts of a whole run."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._open: dict[UUID, asyncio.Event] = {}
        self.wishes: list[Wish] = []

    async def keep_busy(self, session: UUID, chance: random.Random, over: asyncio.Event) -> None:
        """One prompt after the other."""
        while not over.is_set():
            number, outcome = len(self.wishes), chance.choice(list(OUTCOMES))
            pause = f"sleep {chance.uniform(0, 0.05):.3f}"
            text = f"for i in $(seq {LINES}); do echo line-{number}-$i a line as agents write them; {pause}; done"
            if chance.randrange(ONE_FLOODS_IN) == 0:
                text += f"\n{FLOOD}"
            self.wishes.append(Wish(number, UUID(int=0), outcome))
            payload = {"text": f"{text}\n{OUTCOMES[outcome]}"}
            command = await self._office.ask("send_prompt", payload, session_id=session)
            self.wishes[number] = Wish(number, command, outcome)
            settled = self._open[command] = asyncio.Event()
            async with asyncio.timeout(LAST_PROMPTS_SECONDS):
                await settled.wait()

    async def watch(self) -> None:
        """Tells of prompts that are settled; with one look for all."""
        while True:
            rows = await self._office.sql(
                "select id from agent_commands where id = any(%s) and status not in ('pending', 'processing')",
                list(self._open),
            )
            for row in rows:
                self._open.pop(row["id"]).set()
            await asyncio.sleep(0.1)

    async def came_true(self) -> None:
        """Each has one result, with its outcome. What was not typed when the client left came back as attempt 2."""
        rows = await self._office.sql(
            "select r.command_id, r.result ->> 'outcome' as outcome from agent_command_results r "
            "join agent_commands c on c.id = r.command_id where c.office_id = %s and c.command_type = 'send_prompt'",
            self._office.office_id,
        )
        assert sorted((row["command_id"], row["outcome"]) for row in rows) == sorted(
            (wish.command, wish.outcome) for wish in self.wishes
        )
        typed_before = await self._office.sql(
            "select r.command_id, r.attempt from agent_command_results r join session_turns t "
            "on t.command_id = r.command_id and t.attempt < r.attempt where r.office_id = %s",
            self._office.office_id,
        )
        assert typed_before == [], "what came back had not been typed"
