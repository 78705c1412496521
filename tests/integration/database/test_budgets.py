"""What turns cost is kept once, caps stop the next turn and say so, and a service in trouble is left in peace."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.database.planning import Office, job, lane, plan
from tests.integration.database.world import Client, Row, World, refused

USAGE = {"input_tokens": 100, "output_tokens": 20, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 5000}


def told(session: UUID, usd: float | None = None, usage: Row | None = None, *evidence: Row) -> Row:
    """A result as a machine gives it."""
    said = [*evidence, *([{"kind": "agent_session", "usage": usage}] if usage else [])]
    cost: Row = {} if usd is None else {"cost_usd": usd}
    return {"turn_id": str(uuid4()), "session_id": str(session), "outcome": "done", "evidence": said} | cost


async def turn(world: World, client: Client, office: UUID, session: UUID, usd: float) -> Row:
    await world.prompt(office, session)
    [claimed] = await client.claim()
    await client.complete(claimed, p_result=told(session, usd, USAGE))
    return claimed


async def cap(world: World, office: UUID, scope: str, name: str = "", period: str = "day", **caps: Any) -> Row | None:
    amounts = {"p_cap_usd": caps.get("usd"), "p_cap_tokens": caps.get("tokens"), "p_by": "token:ops"}
    return await world.service.call(
        "set_budget", p_office=office, p_scope=scope, p_name=name, p_period=period, **amounts
    )


async def costs(world: World, office: UUID, by: str) -> dict[str, float]:
    found: list[Row] = await world.service.call("sum_costs", p_office=office, p_by=by)
    return {one["key"]: float(one["cost_usd"]) for one in found}


async def test_a_turn_s_cost_and_tokens_are_kept_once_however_often_they_are_told(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office, session)
    [claimed] = await client.claim()
    result = told(session, 0.25, USAGE)
    assert await client.complete(claimed, p_result=result) is True
    assert await client.complete(claimed, p_result=result) is False

    [row] = await world.owner.ask("select * from costs where office_id = %s", office)
    assert (float(row["cost_usd"]), row["tokens"], row["cache_read_tokens"]) == (0.25, 123, 5000)
    assert (row["role"], row["agent"], row["session_id"], row["client_id"]) == ("BE", "shell", session, client.id)


async def test_an_agent_that_tells_nothing_costs_no_row(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office, session)
    [claimed] = await client.claim()
    await client.complete(claimed, p_result=told(session))
    assert await world.owner.ask("select 1 from costs where office_id = %s", office) == []


async def test_costs_are_summed_up_the_dearest_first_and_by_known_words_only(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    be, fe = await client.open_session(office), await client.open_session(office, p_role="FE")
    for session, usd in ((be, 0.5), (fe, 2.0), (be, 0.25)):
        await turn(world, client, office, session, usd)
    assert list((await costs(world, office, "role")).items()) == [("FE", 2.0), ("BE", 0.75)]
    assert await costs(world, office, "agent") == {"shell": 2.75}
    assert list((await costs(world, office, "day")).values()) == [2.75]
    with refused("SO004", "not summed up by"):
        await costs(world, office, "colour")


@pytest.mark.parametrize(("scope", "name"), [("office", ""), ("role", "be"), ("agent", "shell")])
async def test_a_cap_that_is_reached_refuses_the_next_prompt_and_says_which(
    world: World, scope: str, name: str
) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await cap(world, office, scope, name, usd=1)
    await turn(world, client, office, session, 0.99)
    await turn(world, client, office, session, 0.5)
    with refused("SO009", "for today is reached: 1.49 of 1.00 USD"):
        await world.prompt(office, session)
    # What steers or ends a session is no turn.
    await world.command(office, "terminate", session_id=session)


async def test_a_cap_of_tokens_counts_what_was_not_read_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await cap(world, office, "office", period="total", tokens=200)
    await turn(world, client, office, session, 0)
    await turn(world, client, office, session, 0)
    with refused("SO009", "246 of 200 tokens"):
        await world.prompt(office, session)


async def test_yesterday_does_not_count_against_a_cap_for_a_day(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await cap(world, office, "office", usd=1)
    await turn(world, client, office, session, 5)
    await world.owner.ask("update costs set at = at - interval '1 day' where office_id = %s", office)
    await world.prompt(office, session)


@pytest.mark.parametrize(
    ("scope", "name", "caps", "words"),
    [
        ("office", "", {"usd": 0}, "cap_usd: a cap must be above zero"),
        ("office", "", {"tokens": -1}, "cap_tokens: a cap must be above zero"),
        ("office", "BE", {"usd": 1}, "has none"),
        ("role", "", {"usd": 1}, "which role"),
        ("role", "Juggler", {"usd": 1}, "unknown role"),
    ],
)
async def test_a_cap_that_makes_no_sense_is_refused(world: World, scope: str, name: str, caps: Row, words: str) -> None:
    with refused("SO004", words):
        await cap(world, await world.office(), scope, name, **caps)


async def test_a_cap_on_a_plan_of_another_office_is_not_found(world: World) -> None:
    elsewhere = await Office.open(world)
    made = await elsewhere.make(plan(job("a")))
    with refused("SO003"):
        await cap(world, await world.office(), "plan", str(made), usd=1)


async def test_a_cap_stops_a_plan_before_its_next_job_and_raising_it_lets_the_plan_go_on(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), job("b", "a"), job("c", "b")))
    await cap(world, office.id, "plan", str(made), "total", usd=1)
    await office.schedule()
    [prompt] = await office.take()
    session = await office.client.open_session(office.id)
    await office.client.complete(prompt, p_result=told(session, 1.5, USAGE))
    await office.schedule()

    assert await office.statuses(made) == {"a": "done", "b": "blocked", "c": "waiting"}
    assert "the plan a plan is reached: 1.50 of 1.00 USD" in str((await office.job("b"))["error"])
    assert await costs(world, office.id, "plan") == {str(made): 1.5}

    await cap(world, office.id, "plan", str(made), "total", usd=10)
    await office.schedule()
    await office.work()
    assert await office.plan_status(made) == "done"


async def test_a_cap_for_a_day_lets_a_plan_go_on_with_the_next_one(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), job("b", "a")))
    await cap(world, office.id, "role", "BE", usd=1)
    await office.schedule()
    [prompt] = await office.take()
    session = await office.client.open_session(office.id)
    await office.client.complete(prompt, p_result=told(session, 2))
    await office.schedule()
    assert (await office.statuses(made))["b"] == "blocked"
    await world.owner.ask("update costs set at = at - interval '1 day' where office_id = %s", office.id)
    await office.schedule()
    await office.work()
    assert await office.plan_status(made) == "done"


OVERLOADED = {"kind": "transcript", "says": "error", "status": 529, "error": "overloaded_error"}
QUOTA = {"kind": "transcript", "says": "error", "status": 429, "error": "rate_limit"}


@pytest.mark.parametrize(("said", "reason"), [(OVERLOADED, "overloaded"), (QUOTA, "quota")])
async def test_an_agent_whose_service_is_in_trouble_rests_on_that_machine_alone(
    world: World, said: Row, reason: str
) -> None:
    office = await world.office()
    tired, fresh = await world.client(office), await world.client(office)
    session = await tired.open_session(office)
    await world.prompt(office, session)
    [claimed] = await tired.claim()
    await tired.complete(claimed, success=False, p_error_code="turn_error", p_result=told(session, None, None, said))

    waiting, anybody = await world.prompt(office, session), await world.prompt(office)
    assert await tired.claim() == []
    assert (await world.service.call("command_waiting_reason", p_command=waiting["id"]))["reason"] == f"agent_{reason}"
    assert [one["id"] for one in await fresh.claim()] == [anybody["id"]]

    await world.owner.ask("update agent_pauses set until = now() where client_id = %s", tired.id)
    [again] = await tired.claim()
    assert again["id"] == waiting["id"]


async def test_each_further_trouble_doubles_the_rest_and_a_turn_that_goes_well_ends_it(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    rests: list[float] = []
    for _ in range(3):
        await world.prompt(office, session)
        [claimed] = await client.claim()
        await client.complete(
            claimed, success=False, p_error_code="turn_error", p_result=told(session, None, None, OVERLOADED)
        )
        rests.append(
            await world.owner.value(
                "select extract(epoch from until - now())::float from agent_pauses where client_id = %s", client.id
            )
        )
        await world.owner.ask("update agent_pauses set until = now() where client_id = %s", client.id)
    assert [round(rest, -1) for rest in rests] == [30, 60, 120]
    await turn(world, client, office, session, 0.1)
    assert await world.owner.ask("select 1 from agent_pauses where client_id = %s", client.id) == []


async def test_a_job_waits_as_long_as_its_agent_rests_for_a_quota_and_uses_up_no_try(world: World) -> None:
    office = await Office.open(world)
    await office.make(plan(job("a", lane="l"), lanes=[lane("l")], max_tries=1))
    sessions: set[Any] = set()
    waits: list[float] = []
    for _ in range(3):
        await office.schedule()
        [prompt] = await office.take()
        sessions.add(prompt["session_id"])
        await office.client.complete(
            prompt, success=False, p_error_code="turn_error", p_result=told(prompt["session_id"], None, None, QUOTA)
        )
        waits.append((await office.schedule())["next_in_s"])
        assert (await office.job("a"))["failure_kind"] == "quota"
        assert "tries again at" in str(await office.why("a"))
        await world.owner.ask("update agent_pauses set until = now()")
        await world.owner.ask("update jobs set not_before = now() where not_before is not null")
    assert [round(wait, -1) for wait in waits] == [30, 60, 120]
    await office.work()
    assert (await office.job("a"))["status"] == "done"
    assert len(sessions) == 1, "only the service behind the agent was at fault"


async def test_a_cap_between_two_rounds_of_evidence_blocks_the_job_which_then_goes_on_with_what_did_not_hold(
    world: World,
) -> None:
    office = await Office.open(world)
    office.failing_rounds = 1
    made = await office.make(plan(job("a", lane="l", conditions=[{"check": "test"}]), lanes=[lane("l")]))
    await office.schedule()
    [prompt] = await office.take()
    await cap(world, office.id, "plan", str(made), "total", usd=1)
    await office.client.complete(prompt, p_result=told(prompt["session_id"], 1.5, USAGE))
    await office.schedule()
    await office.take()
    held = await office.job("a")
    assert (held["status"], held["failure_kind"]) == ("blocked", "cap")
    assert "is reached: 1.50 of 1.00 USD" in str(held["error"])

    await cap(world, office.id, "plan", str(made), "total")
    await office.schedule()
    [mending] = await office.take()
    assert mending["session_id"] == prompt["session_id"]
    assert "The check" in mending["payload"]["text"]
    await office.answer(mending)
    await office.work()
    assert await office.plan_status(made) == "done"
