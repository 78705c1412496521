"""Jobs run when nothing before them is open, within their limits, and go the way that their turns' outcomes say."""

import uuid

import pytest

from tests.integration.database.planning import Office, job, lane, plan
from tests.integration.database.world import World, refused


async def test_a_job_starts_after_all_that_it_depends_on_is_done(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), job("b"), job("c", "a", "b"), job("d", "c")))
    await office.schedule()
    assert await office.in_work() == {"a", "b"}
    first, second = await office.take()
    await office.answer(first)
    await office.schedule()
    assert (await office.statuses(made))["c"] == "waiting"
    await office.answer(second)
    await office.schedule()
    assert await office.in_work() == {"c"}
    await office.work()
    assert set((await office.statuses(made)).values()) == {"done"}
    assert await office.plan_status(made) == "done"


async def test_a_lane_does_its_jobs_strictly_in_order_of_priority_in_one_session(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(
        plan(job("late", lane="l"), job("first", lane="l", priority=5), job("last", lane="l"), lanes=[lane("l")])
    )
    order: list[str] = []
    sessions: set[uuid.UUID] = set()
    await office.schedule()
    while prompts := await office.take():
        [prompt] = prompts
        order.append(str(prompt["payload"]["text"]))
        sessions.add(prompt["session_id"])
        await office.answer(prompt)
        await office.schedule()
    assert order == ["do first", "do late", "do last"]
    assert len(sessions) == 1
    assert await office.plan_status(made) == "done"
    assert (await world.session(sessions.pop()))["ended_at"] is not None


async def test_a_lane_with_fresh_sessions_ends_each_before_the_next_begins(world: World) -> None:
    office = await Office.open(world)
    await office.make(plan(job("a", lane="l"), job("b", lane="l"), lanes=[lane("l", sessions="fresh")]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt)
    await office.schedule()
    assert (await office.job("b"))["status"] == "waiting"
    assert "has ended" in str(await office.why("b"))
    [second] = await office.take()
    assert second["session_id"] != prompt["session_id"]
    assert (await world.session(second["session_id"]))["client_id"] == office.client.id


@pytest.mark.parametrize(("policy", "after"), [("stop", "skipped"), ("continue", "done")])
async def test_after_a_failure_a_lane_stops_or_goes_on_as_chosen(world: World, policy: str, after: str) -> None:
    office = await Office.open(world)
    made = await office.make(
        plan(
            job("a", lane="l"), job("b", lane="l"), job("c", lane="m"), lanes=[lane("l", on_failure=policy), lane("m")]
        )
    )
    await office.work(a="error")
    assert await office.statuses(made) == {"a": "failed", "b": after, "c": "done"}
    assert await office.plan_status(made) == "failed"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("stop", {"a": "failed", "b": "done", "c": "skipped", "d": "skipped", "e": "done"}),
        ("continue", {"a": "failed", "b": "done", "c": "done", "d": "done", "e": "done"}),
    ],
)
async def test_what_depends_on_a_failure_is_skipped_unless_the_plan_goes_on(
    world: World, policy: str, expected: dict[str, str]
) -> None:
    office = await Office.open(world)
    made = await office.make(
        plan(job("a"), job("b"), job("c", "a"), job("d", "b", "c"), job("e", "b"), on_failure=policy)
    )
    await office.work(a="error")
    assert await office.statuses(made) == expected


async def test_what_comes_before_a_skipped_job_in_its_lane_is_done_all_the_same(world: World) -> None:
    office = await Office.open(world, running=1)
    made = await office.make(
        plan(
            job("x", priority=9),
            job("a", lane="l"),
            job("b", "x", lane="l"),
            job("c", lane="l"),
            lanes=[lane("l")],
        )
    )
    await office.work(x="error")
    assert await office.statuses(made) == {"x": "failed", "a": "done", "b": "skipped", "c": "skipped"}


async def test_a_circle_is_named_also_when_it_goes_through_a_lane(world: World) -> None:
    office = await Office.open(world)
    with refused("SO004", "a → b → a|b → a → b"):
        await office.make(plan(job("a", "b", lane="l"), job("b", lane="l"), lanes=[lane("l")]))


async def test_a_wave_begins_when_the_one_before_is_over(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), job("b"), job("c", stage=1), job("d", stage=3), kind="waves"))
    await office.schedule()
    one, two = await office.take()
    await office.answer(one)
    await office.schedule()
    why = await office.why("c")
    assert why == "waits for wave 1, of which 1 job is left"
    assert await office.in_work() == {"b"} or await office.in_work() == {"a"}
    await office.answer(two)
    await office.schedule()
    assert await office.in_work() == {"c"}
    await office.work()
    state = await office.call("plan_state", p_plan=made)
    assert state["status"] == "done"
    assert [(one["stage"], one["percent"]) for one in state["stages"]] == [(0, 100.0), (1, 100.0), (3, 100.0)]


@pytest.mark.parametrize(("policy", "later"), [("stop", "skipped"), ("continue", "done")])
async def test_a_failure_in_a_wave_ends_the_plan_or_not_as_chosen(world: World, policy: str, later: str) -> None:
    office = await Office.open(world)
    made = await office.make(
        plan(job("a"), job("b"), job("c", stage=1), job("d", stage=2), kind="waves", on_failure=policy)
    )
    await office.work(a="error")
    assert await office.statuses(made) == {"a": "failed", "b": "done", "c": later, "d": later}
    assert await office.plan_status(made) == "failed"


async def test_limits_of_office_role_and_plan_hold_and_are_named(world: World) -> None:
    office = await Office.open(world, running=3)
    await office.limit(QA=1)
    await office.make(plan(job("a"), job("b"), job("c"), max_running=2, name="first"))
    await office.make(plan(job("x", role="QA"), job("y", role="QA"), name="second"))
    await office.schedule()
    assert await office.in_work() == {"a", "b", "x"}
    for name in ("c", "y"):
        assert await office.why(name) == "the office runs 3 of 3 jobs at once"
    await office.limit(10)
    await office.schedule()
    assert await office.in_work() == {"a", "b", "x"}
    assert await office.why("c") == "the plan runs 2 of 2 jobs at once"
    assert await office.why("y") == "the office runs 1 of 1 jobs of the role QA at once"


async def test_a_higher_priority_goes_first_also_when_it_was_raised_later(world: World) -> None:
    office = await Office.open(world, running=1)
    await office.make(plan(job("a"), job("b"), job("c", priority=1)))
    await office.call("set_job_priority", p_job=(await office.job("b"))["id"], p_priority=50)
    await office.schedule()
    assert await office.in_work() == {"b"}


async def test_a_cap_that_leaves_room_is_asked_before_each_start(world: World) -> None:
    office = await Office.open(world)
    await world.owner.ask(
        "create or replace function semo.held_by_a_cap(p_job jobs) returns jsonb language sql as "
        """$$ select case when p_job.name = 'dear' then '{"words": "2.00 of 2.00 USD are spent"}'::jsonb end $$"""
    )
    made = await office.make(plan(job("dear"), job("cheap")))
    await office.work()
    assert await office.statuses(made) == {"dear": "blocked", "cheap": "done"}
    [seen] = await office.call("plan_jobs", p_plan=made, p_statuses=["blocked"])
    assert seen["waiting_reason"] == "2.00 of 2.00 USD are spent"


@pytest.mark.parametrize(
    ("outcome", "evidence"),
    [("interrupted", {"kind": "timeout"}), ("error", {"kind": "exit"}), ("lost", {"kind": "typed"}),
     ("error", {"kind": "hook", "error": "overloaded"})],
    ids=["timeout", "died", "lost", "overload"],
)  # fmt: skip
async def test_what_nobody_wished_is_tried_again_in_order_of_the_pauses(
    world: World, outcome: str, evidence: dict[str, str]
) -> None:
    office = await Office.open(world)
    await office.make(plan(job("a", lane="l"), lanes=[lane("l")], backoff_s=[60, 120], max_tries=3))
    pauses: list[float] = []
    for _ in range(2):
        await office.schedule()
        [prompt] = await office.take()
        await office.answer(prompt, outcome, evidence)
        answer = await office.schedule()
        pauses.append(answer["next_in_s"])
        assert "tries again at" in str(await office.why("a"))
        assert await office.take() == []
        await world.owner.ask("update jobs set not_before = now() - interval '1 ms' where not_before is not null")
    assert [round(pause) for pause in pauses] == [60, 120]
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt, outcome, evidence)
    await office.schedule()
    assert (await office.job("a"))["status"] == "failed"
    assert await world.owner.value("select count(*) from executions") == 3


@pytest.mark.parametrize(
    ("code", "kind"), [("policy_forbids", "refused"), ("turn_error", "agent"), ("turn_interrupted", "interrupted")]
)
async def test_refusals_and_the_agents_own_errors_are_never_tried_again(world: World, code: str, kind: str) -> None:
    office = await Office.open(world)
    await office.make(plan(job("a")))
    await office.schedule()
    [prompt] = await office.take()
    await office.client.complete(prompt, success=False, p_result={"evidence": []}, p_error_code=code, p_error="no")
    await office.schedule()
    failed = await office.job("a")
    assert (failed["status"], failed["failure_kind"], failed["error"]) == ("failed", kind, "no")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("update remote_clients set draining_since = now()", "an admin has the machines take no new work"),
        ("update remote_clients set paused_since = now()", "the users of the machines let them take no new work"),
        ("update remote_clients set last_seen_at = now() - interval '1 h'", "no machine that could take it is online"),
    ],
)
async def test_a_job_that_no_machine_takes_says_why(world: World, what: str, words: str) -> None:
    office = await Office.open(world)
    await office.make(plan(job("a")))
    await world.owner.ask(what)
    await office.schedule()
    assert words in str(await office.why("a"))


async def test_what_a_plan_does_not_say_is_as_the_documents_say(world: World) -> None:
    office = await world.office()
    [limits] = await world.service.call_rows("set_job_limits", p_office=office, p_running=None, p_roles=None)
    made = await world.service.call(
        "create_plan", p_office=office, p_author="token:test",
        p_plan={"name": "bare", "kind": "prompts", "jobs": [{"name": "a", "prompt": "x", "role": "BE"}]},
    )  # fmt: skip
    [row] = await world.owner.ask(
        "select p.max_running, p.max_tries, p.backoff_s, p.retry_kinds, j.timeout_s"
        " from plans p join jobs j on j.plan_id = p.id where p.id = %s", made,
    )  # fmt: skip
    assert (limits["running"], row["max_running"], row["timeout_s"]) == (3, 10, 30 * 60)
    assert (row["max_tries"], row["backoff_s"]) == (4, [60, 120, 240]), "again after 1, 2 and 4 minutes"
    assert row["retry_kinds"] == ["timeout", "died", "lost", "overload", "quota"], "never a refusal"


async def test_a_question_blocks_the_job_and_an_answer_is_typed_where_it_was_asked(world: World) -> None:
    office = await Office.open(world, running=1)
    made = await office.make(plan(job("a", lane="l"), job("b"), job("c", lane="l"), lanes=[lane("l")]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt, "waiting_input")
    await office.schedule()
    assert await office.statuses(made) == {"a": "blocked", "b": "running", "c": "waiting"}
    blocked = await office.job("a")
    assert await office.call("retry_job", p_job=blocked["id"], p_answer="use the second one") == "ready"
    [other] = await office.take()
    await office.answer(other)
    await office.schedule()
    [answered] = await office.take()
    assert (answered["payload"]["text"], answered["session_id"]) == ("use the second one", prompt["session_id"])
    await office.answer(answered)
    await office.work()
    assert set((await office.statuses(made)).values()) == {"done"}


async def test_a_blocked_job_begins_again_in_a_fresh_session_when_retried_without_an_answer(world: World) -> None:
    office = await Office.open(world)
    await office.make(plan(job("a", lane="l"), lanes=[lane("l")]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt, "needs_permission")
    await office.schedule()
    await office.call("retry_job", p_job=(await office.job("a"))["id"])
    [again] = await office.take()
    assert again["session_id"] != prompt["session_id"]
    assert again["payload"]["text"] == "do a"


@pytest.mark.parametrize(("go_on", "after"), [(True, "done"), (False, "skipped")])
async def test_a_dropped_job_takes_the_others_along_unless_they_shall_go_on(
    world: World, go_on: bool, after: str
) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), job("b", "a"), job("c", stage=1)))
    await office.work(a="waiting_input")
    await office.call("drop_job", p_job=(await office.job("a"))["id"], p_go_on=go_on)
    await office.work()
    assert await office.statuses(made) == {"a": "cancelled", "b": after, "c": after}


async def test_a_failed_job_that_is_tried_again_takes_along_what_was_skipped_for_it(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), job("b", "a"), job("c", "b"), job("d", stage=1)))
    await office.work(a="error")
    assert await office.plan_status(made) == "failed"
    await office.call("retry_job", p_job=(await office.job("a"))["id"])
    assert await office.plan_status(made) == "running"
    await office.work()
    assert set((await office.statuses(made)).values()) == {"done"}
    assert await office.plan_status(made) == "done"


async def test_jobs_are_added_while_a_plan_runs_and_one_that_is_kept_open_waits_for_them(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(plan(job("a"), keep_open=True))
    await office.work()
    assert await office.plan_status(made) == "running"
    await office.call("add_jobs", p_plan=made, p_jobs=[job("b", "a"), job("c", "b")])
    await office.work()
    assert await office.statuses(made) == {"a": "done", "b": "done", "c": "done"}
    await office.call("close_plan", p_plan=made)
    assert await office.plan_status(made) == "done"
