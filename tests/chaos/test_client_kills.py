"""kill -9 of the client, again and again, at random moments of running turns: the turns do not notice.

Short in every run, whole with `-m proof`. The seed is printed; SEMO_CHAOS_SEED repeats it.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from tests.chaos.evidence import left_behind, lines_shown
from tests.integration.remote_client.conftest import project, repository
from tests.integration.remote_client.office import Office
from tests.support.gateway import Project

__all__ = ["project", "repository"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINES = 8
ENDS = {"done": "echo '[SEMO:DONE]'", "error": "false", "waiting_input": "true"}
AT_ONCE = 4
FINAL_SECONDS = 120.0


@dataclass(frozen=True)
class Wish:
    number: int
    command: UUID
    outcome: str


@pytest_asyncio.fixture(loop_scope="session")
async def office(project: Project) -> AsyncIterator[Office]:
    async with Office.founded(project) as office:
        yield office


@pytest.mark.parametrize(
    "kills",
    [pytest.param(3, id="short"), pytest.param(50, id="whole", marks=[pytest.mark.proof, pytest.mark.timeout(0)])],
)
async def test_turns_do_not_notice_that_their_client_is_killed(
    kills: int, office: Office, repository: Path, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SEMO_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SEMO_CHAOS_SEED={seed}")  # noqa: T201  it repeats the run
    chance = random.Random(seed)  # noqa: S311
    machine = await office.enrol("laptop", tmp_path / "laptop", repository)
    ledger = tmp_path / "ledger"
    ledger.touch()
    await machine.start_process(lease_seconds=60)
    try:
        sessions = [await office.session("BE"), await office.session("QA")]
        killed = asyncio.Event()
        asking = asyncio.create_task(keep_asking(office, sessions, ledger, chance, killed))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0, 2.0))
            await machine.kill()
            await asyncio.sleep(chance.choice([0, 0, chance.uniform(0, 1.0)]))
            await machine.start_process(lease_seconds=60)
        killed.set()
        wishes = await asking
        for wish in wishes:
            await came_to_its_end(office, wish)
        assert sorted(ledger.read_text().split()) == sorted(f"ran-{wish.number}" for wish in wishes), "typed once, each"
        assert await lines_shown(office) == {wish.number: list(range(1, LINES + 1)) for wish in wishes}
    finally:
        await machine.stop()
    assert left_behind(tmp_path) == []


async def keep_asking(
    office: Office, sessions: list[UUID], ledger: Path, chance: random.Random, stop: asyncio.Event
) -> list[Wish]:
    """Keeps a few prompts waiting or running: in sessions of their own, and in whichever there is."""
    wishes: list[Wish] = []
    while not stop.is_set():
        number, outcome = len(wishes), chance.choice(list(ENDS))
        shown = f"for i in $(seq {LINES}); do echo line-{number}-$i; sleep {chance.uniform(0, 0.2):.2f}; done"
        payload = {"text": f"echo ran-{number} >> {ledger}\n{shown}\n{ENDS[outcome]}"}
        session = chance.choice([*sessions, None])
        if session is None:
            command = await office.ask("send_prompt", payload | {"role": "FE"})
        else:
            command = await office.ask("send_prompt", payload, session_id=session)
        wishes.append(Wish(number, command, outcome))
        await office.until_true(
            "select 1 where (select count(*) from agent_commands where office_id = %s "
            "and status in ('pending', 'processing')) < %s",
            office.office_id, AT_ONCE, seconds=FINAL_SECONDS,
        )  # fmt: skip
    return wishes


async def came_to_its_end(office: Office, wish: Wish) -> None:
    answer = await office.until(wish.command, seconds=FINAL_SECONDS)
    assert answer.status == ("completed" if wish.outcome == "done" else "failed"), answer
    assert answer.result["outcome"] == wish.outcome, answer
    assert answer.result["marker"] is (wish.outcome == "done"), answer
    rows = await office.sql("select attempt from agent_command_results where command_id = %s", wish.command)
    assert [row["attempt"] for row in rows] == [answer.row["attempt"]], "one result, of the attempt that was typed"
