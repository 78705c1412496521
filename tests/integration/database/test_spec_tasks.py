"""Spec tasks go their way arrow by arrow, and what is stale, wrong or too late changes nothing."""

import asyncio

import psycopg
import pytest

from tests.integration.database.crowd import Crowd
from tests.integration.database.specs import SpecTask
from tests.integration.database.world import World, refused


async def test_from_backlog_to_done_with_one_version_sent_back(world: World) -> None:
    task = await SpecTask.new(world)
    assert await task.status() == "backlog"
    await task.call("start_spec_task")
    assert await task.status() == "planning"
    assert await task.planned() == 1
    assert await task.status() == "review"
    await task.call("comment_spec", p_version=1, p_text="Name the columns", p_document="tasks.md", p_line=2)
    await task.call("send_back_spec", p_version=1)
    assert (await task.status(), (await task.row())["round"]) == ("planning", 2)
    assert await task.planned() == 2
    await task.call("approve_spec", p_version=2)
    assert await task.states() == {"1": "waiting", "2": "waiting", "3": "waiting"}
    for label in ("1", "2", "3"):
        assert await task.status() == "implementation"
        await task.to_its_end(label)
    assert await task.status() == "done"
    versions = await world.owner.ask("select version, verdict from spec_versions order by version")
    assert [(row["version"], row["verdict"]) for row in versions] == [(1, "sent_back"), (2, "approved")]
    assert (await task.events())[:3] == ["created", "planning", "session_started"]
    assert (await task.events())[-1] == "done"


async def test_approval_of_a_version_that_is_no_longer_the_newest_is_refused(world: World) -> None:
    task = await SpecTask.in_review(world)
    await task.call("comment_spec", p_version=1, p_text="no")
    await task.call("send_back_spec", p_version=1)
    await task.planned()
    with refused("SO002", "version 1 .* is no longer the newest: that is version 2"):
        await task.call("approve_spec", p_version=1)
    with refused("SO003", "has no version 3"):
        await task.call("approve_spec", p_version=3)
    assert await task.status() == "review"
    await task.call("approve_spec", p_version=2)
    with refused("SO002", "not in review"):
        await task.call("approve_spec", p_version=2)


async def test_comments_name_a_document_and_a_line_that_are_there(world: World) -> None:
    task = await SpecTask.in_review(world)
    with refused("SO004", 'no document "plan.md"'):
        await task.call("comment_spec", p_version=1, p_text="x", p_document="plan.md")
    with refused("SO004", '"tasks.md" has 3 lines'):
        await task.call("comment_spec", p_version=1, p_text="x", p_document="tasks.md", p_line=4)
    with refused("SO004", "name the document"):
        await task.call("comment_spec", p_version=1, p_text="x", p_line=1)
    with refused("23514"):
        await task.call("comment_spec", p_version=1, p_text=" ")
    with refused("SO004", "no comment that says"):
        await task.call("send_back_spec", p_version=1)


async def test_documents_that_cannot_be_read_go_back_with_what_is_wrong_three_times_at_most(world: World) -> None:
    task = await SpecTask.new(world)
    await task.call("start_spec_task")
    wrong = {"p_problem": "line 7: no id", "p_document": "tasks.md", "p_line": 7}
    assert await task.call("spec_unplanned", p_round=1, **wrong) == "planning"
    with refused("SO002", "round 2"):
        await task.call("spec_unplanned", p_round=1, **wrong)
    [comment] = await world.owner.ask("select * from spec_comments")
    assert (comment["line"], comment["round"], comment["author"]) == (7, 1, "office")
    assert await task.call("spec_unplanned", p_round=2, **wrong) == "planning"
    assert await task.call("spec_unplanned", p_round=3, **wrong) == "failed"
    assert "line 7" in (await task.row())["problem"]
    await task.call("retry_spec_task")
    assert (await task.status(), (await task.row())["round"]) == ("planning", 4)


async def test_a_work_session_begins_after_those_that_it_depends_on(world: World) -> None:
    task = await SpecTask.approved(world)
    with refused("SO002", r"2 waits for 1 \(waiting\)"):
        await task.started("2")
    await task.started("1")
    await task.worked("1")
    with refused("SO002", r"2 waits for 1 \(merging\)"):
        await task.started("2")
    await task.of("1", "spec_session_merged", p_commit="c0ffee")
    await task.started("2")


async def test_what_conflicts_is_tried_again_three_times_in_all_and_an_older_try_moves_nothing(world: World) -> None:
    task = await SpecTask.approved(world)
    for status in ("waiting", "waiting", "failed"):
        await task.started("1")
        await task.worked("1")
        session = await task.session("1")
        assert await task.of("1", "spec_session_merged", p_commit="c0ffee", p_conflicts=["a.txt"]) == status
        with refused("SO002"):
            await world.service.call(
                "spec_session_merged", p_session=session["id"], p_try=session["tries"], p_commit="c0ffee"
            )
    assert (await task.session("1"))["conflicts"] == ["a.txt"]
    assert await task.status() == "implementation"  # "3" can go on
    await task.to_its_end("3")
    assert await task.status() == "failed"  # and "2" waits for "1"


async def test_a_task_fails_when_nothing_of_it_can_go_on_and_may_be_tried_again(world: World) -> None:
    task = await SpecTask.approved(world)
    await task.to_its_end("3")
    await task.started("1")
    await task.of("1", "spec_session_failed", p_problem="the tests fail")
    assert await task.status() == "failed"
    assert "1: the tests fail" in (await task.row())["problem"]
    await task.call("retry_spec_task")
    assert await task.states() == {"1": "waiting", "2": "waiting", "3": "done"}
    await task.to_its_end("1")
    await task.to_its_end("2")
    assert await task.status() == "done"
    with refused("SO002", "only one that failed"):
        await task.call("retry_spec_task")


async def test_a_failed_planning_session_fails_the_task(world: World) -> None:
    task = await SpecTask.new(world)
    await task.call("start_spec_task")
    await task.started("planning-1")
    await task.of("planning-1", "spec_session_failed", p_problem="out of quota")
    assert (await task.status(), (await task.row())["problem"]) == ("failed", "planning failed: out of quota")


async def test_a_cancelled_task_stops_all_of_it_and_its_plan(world: World) -> None:
    task = await SpecTask.approved(world)
    await task.started("1")
    await task.call("cancel_spec_task")
    plan = await world.owner.value("select status from plans where id = %s", (await task.row())["plan_id"])
    assert plan == "cancelled"
    assert set((await task.states()).values()) == {"cancelled"}
    await task.call("cancel_spec_task")
    with refused("SO002"):
        await task.of("1", "spec_session_worked", p_client=None, p_branch="agent/BE-login-1")


async def test_the_stop_for_all_fails_a_task_which_then_goes_on_where_it_was(world: World) -> None:
    task = await SpecTask.approved(world)
    await task.to_its_end("3")
    await task.started("1")
    stopped = (await task.row())["plan_id"]
    await world.service.call("stop_office", p_office=task.office, p_author="token:a")
    assert (await task.status(), (await task.row())["problem"]) == (
        "failed", "everything in the office was stopped by token:a",
    )  # fmt: skip
    assert await task.states() == {"1": "failed", "2": "waiting", "3": "done"}
    assert await world.owner.value("select status from plans where id = %s", stopped) == "cancelled"

    await task.call("retry_spec_task")
    await task.to_its_end("1")
    await task.to_its_end("2")
    assert await task.status() == "done"
    assert (await task.row())["plan_id"] != stopped, "what was cancelled takes no more jobs"


async def test_a_task_that_is_planned_or_read_survives_the_stop_for_all(world: World) -> None:
    planned = await SpecTask.new(world)
    await planned.call("start_spec_task")
    await planned.started("planning-1")
    await world.service.call("stop_office", p_office=planned.office, p_author="token:a")
    assert await planned.status() == "failed"
    await planned.call("retry_spec_task")
    await planned.planned()

    await world.service.call("stop_office", p_office=planned.office, p_author="token:a")
    assert await planned.status() == "review"
    await planned.call("approve_spec", p_version=1)
    await planned.to_its_end("1")


async def test_the_plan_of_a_task_is_not_cancelled_without_it(world: World) -> None:
    task = await SpecTask.approved(world)
    await task.started("1")
    plan = (await task.row())["plan_id"]
    with refused("SO002", 'that of the spec task "login"'):
        await world.service.call("cancel_plan", p_plan=plan)
    await task.call("cancel_spec_task")
    assert await world.owner.value("select status from plans where id = %s", plan) == "cancelled"


async def test_what_happens_to_a_task_is_told_to_those_who_follow_its_office(world: World) -> None:
    task = await SpecTask.in_review(world)
    told = await world.owner.ask(
        "select kind, detail from session_events where office_id = %s and kind like 'spec_task.%%' order by id",
        task.office,
    )
    assert [one["kind"] for one in told] == [f"spec_task.{kind}" for kind in await task.events()]
    assert told[-1]["detail"].items() >= {"spec_task_id": str(task.id), "name": "login", "version": 1}.items()


async def test_one_session_does_all_of_a_simple_task(world: World) -> None:
    task = await SpecTask.approved(world, single_session=True)
    assert await task.states() == {"all": "waiting"}
    assert (await task.session("all"))["body"].startswith("# Tasks")
    await task.to_its_end("all")
    assert await task.status() == "done"


@pytest.mark.parametrize(
    ("wishes", "code", "words"),
    [
        ({"planning_role": "CEO"}, "SO004", 'unknown role "CEO"'),
        ({"argv": "rm"}, "SO004", 'takes no "argv"'),
        ({"max_spawned": 101}, "23514", "max_spawned"),
        ({"planning_template": ""}, "23514", "planning_template"),
        ({"session_seconds": 0}, "23514", "session_seconds"),
    ],
)
async def test_a_bad_task_is_refused_and_nothing_is_made(
    world: World, wishes: dict[str, object], code: str, words: str
) -> None:
    with refused(code, words):
        await SpecTask.new(world, **wishes)
    assert await world.owner.ask("select 1 from spec_tasks") == []


async def test_a_name_is_good_once_in_an_office(world: World) -> None:
    task = await SpecTask.new(world)
    again = {"p_office": task.office, "p_name": "login", "p_title": "Again"}
    with refused("SO002", 'there is a spec task "login" already'):
        await world.service.call("create_spec_task", **again)
    with refused("23514"):
        await world.service.call("create_spec_task", **again | {"p_name": "../x"})


async def test_viewers_read_operators_decide_and_strangers_find_nothing(world: World) -> None:
    task = await SpecTask.in_review(world)
    viewer, operator = await world.member(task.office, "viewer"), await world.member(task.office, "operator")
    stranger = await world.user()
    for table in ("spec_tasks", "spec_versions", "spec_sessions", "coordination_events"):
        assert await viewer.ask(f"select 1 from {table}")  # noqa: S608  our own names
        assert await stranger.ask(f"select 1 from {table}") == []  # noqa: S608
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await operator.ask(f"delete from {table}")  # noqa: S608
    with refused("SO005"):
        await viewer.call("approve_spec", p_task=task.id, p_version=1)
    with refused("SO003"):
        await stranger.call("approve_spec", p_task=task.id, p_version=1)
    with refused("42501"):
        await operator.call("spec_unplanned", p_task=task.id, p_round=1, p_problem="x")
    await operator.call("approve_spec", p_task=task.id, p_version=1, p_author="somebody else")
    assert await world.owner.value("select decided_by from spec_versions") == f"user:{operator.user}"


async def test_of_two_that_approve_at_once_one_does(crowd: Crowd) -> None:
    task = await SpecTask.in_review(crowd.world)

    async def approve() -> str:
        caller = await crowd.service()
        try:
            await caller.call("approve_spec", p_task=task.id, p_version=1)
        except psycopg.Error as error:
            return error.sqlstate or ""
        return "approved"

    assert sorted(await asyncio.gather(approve(), approve())) == ["SO002", "approved"]
    assert len(await task.states()) == 3
