"""Done on evidence: what must hold is looked at before a job is done, and what fails goes back to its agent."""

import uuid
from typing import Any
from uuid import UUID

import pytest

from tests.integration.database.planning import Office, job, lane, plan
from tests.integration.database.world import Row, World, refused

ALL = [
    {"check": "test"}, {"check": "lint"}, {"must_change": "src/**"}, {"must_not_change": "docs/**"}, {"commit": True},
]  # fmt: skip


def with_conditions(conditions: list[Row], **more: Any) -> Row:
    return plan(job("a", lane="l", conditions=conditions, **more), lanes=[lane("l")])


async def evidence(office: Office) -> list[Row]:
    return await office.call("office_evidence", p_office=office.id, p_job=(await office.job("a"))["id"])


async def statuses(office: Office) -> list[tuple[int, str, str]]:
    return [(one["round"], one["kind"], one["status"]) for one in await evidence(office)]


async def test_a_job_whose_conditions_hold_is_done_with_how_each_is_known(world: World) -> None:
    office = await Office.open(world)
    made = await office.make(with_conditions(ALL))

    await office.work()

    assert await office.plan_status(made) == "done"
    found = await evidence(office)
    assert [(one["condition"], one["status"], one["known_by"]) for one in found] == [
        (wanted, "holds", "exit" if "check" in wanted else "git") for wanted in ALL
    ]
    kept = await world.owner.value("select result -> 'conditions' from executions")
    assert [one["status"] for one in kept] == ["holds"] * 5


async def test_what_fails_goes_back_to_the_agent_in_exact_words_until_it_holds(world: World) -> None:
    office = await Office.open(world)
    office.failing_rounds = 2
    made = await office.make(with_conditions(ALL))

    await office.work()

    prompts = await world.owner.ask(
        "select payload ->> 'text' as text from agent_commands where command_type = 'send_prompt' order by seq"
    )
    assert await office.plan_status(made) == "done"
    assert [prompt["text"] for prompt in prompts] == ["do a", prompts[1]["text"], prompts[1]["text"]]
    assert prompts[1]["text"] == (
        "This is not done yet. 5 things that must hold do not:\n\n"
        '1. The check "test" failed with status 2. The end of what it put out:\nboo\n'
        '2. The check "lint" failed with status 2. The end of what it put out:\nboo\n'
        '3. No file that matches "src/**" was changed.\n'
        '4. What matches "docs/**" must not be changed, and was: a.py.\n'
        "5. Nothing was committed.\n\n"
        "Mend it, then say that it is done as before."
    )
    assert [(round_, status) for round_, kind, status in await statuses(office) if kind == "commit"] == [
        (0, "fails"), (1, "fails"), (2, "holds"),
    ]  # fmt: skip
    assert await world.owner.value("select count(*) from executions") == 1


async def test_an_agent_that_takes_scripts_gets_the_words_as_comments_before_its_script(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"check": "test"}]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt)
    await office.schedule()
    [check] = await office.client.claim()
    office.failing_rounds = 1
    await office.look(check, takes_scripts=True)
    await office.schedule()

    text = (await office.command_of("a"))["payload"]["text"]
    assert text.startswith("# This is not done yet. One thing that must hold does not:\n# \n# 1. The check")
    assert text.endswith("\n# Mend it, then say that it is done as before.\ndo a")


async def test_what_never_holds_fails_the_job_with_its_evidence(world: World) -> None:
    office = await Office.open(world)
    office.failing_rounds = 9
    made = await office.make(with_conditions([{"check": "test"}], max_rounds=1))

    await office.work()

    failed = await office.job("a")
    assert (failed["status"], failed["failure_kind"]) == ("failed", "conditions")
    assert await office.plan_status(made) == "failed"
    assert await statuses(office) == [(0, "check", "fails"), (1, "check", "fails")]
    assert (await evidence(office))[1]["detail"] == {"status": 2, "tail": "boo"}


async def test_what_a_machine_does_not_know_is_no_fault_of_the_agent(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"check": "test"}, {"commit": True}]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt)
    await office.schedule()
    [check] = await office.client.claim()
    await office.client.complete(check, success=False, p_error_code="policy_forbids", p_error="no check of that name")
    await office.schedule()

    assert (await office.job("a"))["status"] == "failed"
    assert [(one["known_by"], one["detail"]) for one in await evidence(office)] == [
        ("machine", {"error": "no check of that name"})
    ] * 2
    assert await world.owner.value("select count(*) from agent_commands where command_type = 'send_prompt'") == 1


async def test_a_session_that_ended_before_it_was_looked_at_ends_the_job_and_does_not_hang(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"commit": True}]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt)
    await office.client.move(prompt["session_id"], "terminated")
    await office.schedule()

    assert (await office.job("a"))["status"] == "failed"
    assert [one["known_by"] for one in await evidence(office)] == ["machine"]


async def until_asked(office: Office) -> Row:
    await office.work()
    [asked] = await office.call("office_evidence", p_office=office.id)
    return asked


async def answer(office: Office, asked: Row, *, yes: bool, comment: str | None = None) -> Row:
    return await office.call(
        "answer_evidence",
        p_office=office.id,
        p_evidence=UUID(asked["id"]),
        p_yes=yes,
        p_author="user:ada",
        p_comment=comment,
    )


async def test_a_person_is_asked_last_and_their_yes_ends_it(world: World) -> None:
    office = await Office.open(world)
    office.failing_rounds = 1
    made = await office.make(with_conditions([{"person": "Is the copy fine?"}, {"check": "test"}]))

    asked = await until_asked(office)

    assert (asked["round"], asked["condition"], asked["job"]) == (1, {"person": "Is the copy fine?"}, "a")
    assert await statuses(office) == [
        (0, "person", "void"),
        (0, "check", "fails"),
        (1, "person", "open"),
        (1, "check", "holds"),
    ]
    assert (await office.job("a"))["status"] == "checking"
    given = await answer(office, asked, yes=True)
    assert (given["status"], given["known_by"], given["answered_by"]) == ("holds", "person", "user:ada")
    assert (await answer(office, asked, yes=True))["status"] == "holds"
    assert await office.plan_status(made) == "done"
    with refused("SO002", "answered already"):
        async with world.connection.transaction():
            await answer(office, asked, yes=False)


async def test_a_persons_no_goes_back_with_their_words(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"person": "Is the copy fine?"}]))
    asked = await until_asked(office)

    await answer(office, asked, yes=False, comment="Too long.")

    text = (await office.command_of("a"))["payload"]["text"]
    assert "1. user:ada does not agree. Asked: Is the copy fine?\nToo long.\n" in text


async def test_only_what_a_person_is_asked_can_be_answered(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"person": "Fine?"}, {"check": "test"}]))
    await office.schedule()
    [prompt] = await office.take()
    await office.answer(prompt)
    await office.schedule()
    person, check = await evidence(office)
    for wrong, code in ((person, "SO002"), (check, "SO004"), ({"id": str(uuid.uuid4())}, "SO003")):
        with refused(code):
            async with world.connection.transaction():
                await answer(office, wrong, yes=True)


async def test_a_killed_job_leaves_nothing_to_answer(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"person": "Fine?"}]))
    await until_asked(office)
    execution = (await office.job("a"))["execution_id"]

    await office.call("kill_execution", p_execution=execution)
    await office.schedule()

    assert await office.call("office_evidence", p_office=office.id) == []
    assert await statuses(office) == [(0, "person", "void")]


@pytest.mark.parametrize(("state", "holds"), [("open", True), ("pushed", False)])
async def test_a_pull_request_is_opened_and_must_be_open(world: World, state: str, holds: bool) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"pull_request": True}]))
    await office.schedule()
    [prompt] = await office.take()
    await office.client.move(prompt["session_id"], "ready", branch="agent/BE-l")
    await office.answer(prompt)
    await office.schedule()
    [check] = await office.client.claim()
    await office.look(check)
    await office.schedule()
    [publish] = await office.client.claim()
    assert (publish["command_type"], publish["payload"]["title"]) == ("publish_branch", "[BE] a")
    assert publish["payload"]["body"] == "a of the plan a plan\n\ndo a"
    await office.client.complete(publish, p_result={"state": state, "base": "main", "missing": "no gh"})
    await office.schedule()

    assert (await office.job("a"))["status"] == ("done" if holds else "failed")
    assert [(one["known_by"], one["detail"]["state"]) for one in await evidence(office)] == [("host", state)]


async def test_the_work_of_a_later_job_in_a_lane_begins_where_it_began(world: World) -> None:
    office = await Office.open(world)
    await office.make(with_conditions([{"commit": True}]))
    await office.schedule()
    [prompt] = await office.take()
    turn = {"turn_id": str(uuid.uuid4()), "session_id": str(prompt["session_id"]), "outcome": "done", "marker": True}
    facts = [{"kind": "marker"}, {"kind": "git", "head_before": "abc123", "head_after": "def456", "commits": 1}]
    await office.client.complete(prompt, p_result=turn | {"evidence": facts})
    await office.schedule()

    [check] = await office.client.claim()
    assert check["payload"] == {"commit": True, "since": "abc123"}


NONSENSE: list[tuple[Any, str]] = [
    ([{"run": "make test"}], 'there is no condition "run"'),
    ([{"check": "make test"}], '"check" is the name of one'),
    ([{"check": "a", "commit": True}], "each must be one of"),
    ([{}], "each must be one of"),
    (["test"], "each must be one of"),
    ([{"commit": False}], '"commit" is true or is left out'),
    ([{"must_change": "a\nb"}], "one line"),
    ([{"person": " "}], '"person" must be a text'),
    ([{"check": f"c{n}"} for n in range(21)], "at most 20 checks"),
    ([{"commit": True}] * 51, "at most 50"),
    ({"check": "a"}, "must be a list"),
]


@pytest.mark.parametrize(("conditions", "words"), NONSENSE)
async def test_conditions_that_make_no_sense_are_refused_with_their_place(
    world: World, conditions: Any, words: str
) -> None:
    office = await Office.open(world)
    with refused("SO004", "jobs") as refusal:
        async with world.connection.transaction():
            await office.make(with_conditions(conditions))
    assert words in str(refusal.value)
    assert await world.owner.value("select count(*) from plans") == 0
