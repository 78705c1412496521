"""Random graphs, lanes and failures against a model, with two schedulers of which one is killed again and again."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_supabase.database import Database
from tests.integration.database.planning import Office, job, lane, plan
from tests.integration.database.world import Caller, Row, World, connect
from tests.support.embedded import EmbeddedPostgres

JOBS = 9
OUTCOMES = ["done", "done", "done", "flaky", "error", "hopeless"]
"""What comes of a job's turns: `flaky` is lost once and then done, `hopeless` is lost every time."""


@st.composite
def cases(draw: st.DrawFn) -> Row:
    count = draw(st.integers(2, JOBS))
    jobs = [
        {
            "depends": draw(st.sets(st.integers(0, place - 1), max_size=3)) if place else set[int](),
            "lane": draw(st.sampled_from([None, None, "l", "m"])),
            "role": draw(st.sampled_from(["BE", "QA"])),
            "outcome": draw(st.sampled_from(OUTCOMES)),
        }
        for place in range(count)
    ]
    return {
        "jobs": jobs,
        "on_failure": draw(st.sampled_from(["stop", "continue"])),
        "lanes": {name: draw(st.sampled_from(["stop", "continue"])) for name in ("l", "m")},
        "running": draw(st.integers(1, 4)),
        "max_running": draw(st.integers(1, 4)),
        "role_limit": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 2**31)),
    }


def expected(case: Row) -> list[str]:
    """The model: a job has its own outcome unless something before it, that counts, was not done."""
    ends: list[str] = []
    for place, one in enumerate(case["jobs"]):
        before: list[int] = list(one["depends"]) if case["on_failure"] == "stop" else []
        if one["lane"] and case["lanes"][one["lane"]] == "stop":
            before += [other for other in range(place) if case["jobs"][other]["lane"] == one["lane"]]
        if any(ends[other] != "done" for other in before):
            ends.append("skipped")
        else:
            ends.append("failed" if one["outcome"] in ("error", "hopeless") else "done")
    return ends


def written(case: Row) -> Row:
    jobs = [
        job(
            f"j{place}",
            *(f"j{before}" for before in sorted(one["depends"])),
            **({"lane": one["lane"]} if one["lane"] else {"role": one["role"]}),
        )
        for place, one in enumerate(case["jobs"])
    ]
    lanes = [lane(name, on_failure=policy) for name, policy in case["lanes"].items()]
    return plan(
        *jobs, lanes=lanes, on_failure=case["on_failure"], max_running=case["max_running"], max_tries=2,
        name=f"case {case['seed']}",
    )  # fmt: skip


@pytest.mark.timeout(110)
def test_every_job_reaches_the_end_that_the_model_says_and_no_limit_is_exceeded(
    embedded_postgres: EmbeddedPostgres,
) -> None:
    asyncio.run(play_all(embedded_postgres, examples=8))


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_the_same_for_long(embedded_postgres: EmbeddedPostgres) -> None:
    asyncio.run(play_all(embedded_postgres, examples=400))


async def play_all(postgres: EmbeddedPostgres, examples: int) -> None:
    async with postgres.fresh_database() as database:

        @given(case=cases())
        @settings(
            max_examples=examples, deadline=None, print_blob=True, database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )  # fmt: skip
        def check(case: Row) -> None:
            asyncio.run(play(database, case))

        await asyncio.to_thread(check)


async def play(database: Database, case: Row) -> None:
    chance = random.Random(case["seed"])  # noqa: S311 - which step comes next, not a secret
    async with connect(database) as connection:
        office = await Office.open(World(connection), running=case["running"])
        await office.limit(QA=case["role_limit"])
        made = await office.make(written(case))
        over = asyncio.Event()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(schedule(database, office.id, over))
            group.create_task(schedule_and_die(database, office.id, over, chance))
            group.create_task(machine(database, office, case, made, over, chance))
        await check_ends(office, made, case)


async def schedule(database: Database, office: UUID, over: asyncio.Event) -> None:
    async with connect(database) as connection:
        caller = Caller(connection, "service_role")
        while not over.is_set():
            await caller.call("run_schedule", p_office=office)
            await asyncio.sleep(0)


async def schedule_and_die(database: Database, office: UUID, over: asyncio.Event, chance: random.Random) -> None:
    """Another server: it dies with its work undone as often as not."""
    while not over.is_set():
        async with dying(database) as caller:
            for _ in range(chance.randint(0, 3)):
                await caller.call("run_schedule", p_office=office)
            async with caller.connection.transaction(force_rollback=True):
                await caller.call("run_schedule", p_office=office)
                await caller.connection.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def dying(database: Database) -> AsyncGenerator[Caller]:
    async with connect(database) as connection:
        try:
            yield Caller(connection, "service_role")
        except Exception:
            if not connection.closed:
                raise


async def machine(
    database: Database, office: Office, case: Row, made: UUID, over: asyncio.Event, chance: random.Random
) -> None:
    """Takes commands and ends turns in any order, until the plan is over."""
    tried: dict[str, int] = {}
    held: list[Row] = []
    while not over.is_set():
        for command in await office.client.claim(5):
            if command["command_type"] == "create_session":
                session = await office.client.open_session(office.id, command)
                await office.client.complete(command, p_result={"session_id": str(session)})
            elif command["command_type"] == "terminate":
                await office.client.complete(command, p_session_status="terminated")
            else:
                held.append(command)
        chance.shuffle(held)
        for prompt in [held.pop() for _ in range(chance.randint(0, len(held)))]:
            name = str(prompt["payload"]["text"]).removeprefix("do ")
            tried[name] = tried.get(name, 0) + 1
            await office.answer(prompt, outcome(case["jobs"][int(name[1:])]["outcome"], tried[name]))
        await asyncio.sleep(0)
        if await office.world.owner.value("select finished_at is not null from plans where id = %s", made):
            over.set()


def outcome(of: str, turn: int) -> str:
    if of == "flaky":
        return "lost" if turn == 1 else "done"
    return "lost" if of == "hopeless" else of


async def check_ends(office: Office, made: UUID, case: Row) -> None:
    ends = await office.statuses(made)
    assert list(ends.values()) == expected(case), case
    runs: list[Row] = await office.world.owner.ask(
        """select j.name, j.role, j.lane_id, e.created_at as began, e.finished_at as ended, j.finished_at as job_ended
           from executions e join jobs j on j.id = e.job_id where e.plan_id = %s""",
        made,
    )
    assert all(run["ended"] is not None for run in runs)
    job_ended: dict[str, Any] = {run["name"]: run["job_ended"] for run in runs}
    for run in runs:
        for before in case["jobs"][int(run["name"][1:])]["depends"]:
            assert job_ended.get(f"j{before}", run["began"]) <= run["began"], f"{run['name']} before j{before}"
    assert at_once(runs) <= min(case["running"], case["max_running"])
    assert at_once([run for run in runs if run["role"] == "QA"]) <= case["role_limit"]
    for name in {run["lane_id"] for run in runs if run["lane_id"] is not None}:
        assert at_once([run for run in runs if run["lane_id"] == name]) == 1


def at_once(runs: list[Row]) -> int:
    """How many ran at the same time at most; what ends at the moment in which another begins ended before it."""
    moves = sorted(
        [(run["ended"], -1) for run in runs] + [(run["began"], 1) for run in runs], key=lambda move: move[:2]
    )
    most = now = 0
    for _, step in moves:
        now += step
        most = max(most, now)
    return most
