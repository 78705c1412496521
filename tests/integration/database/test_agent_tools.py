"""What agents ask of their office from inside their sessions: within their rights, once for each call."""

import asyncio
import uuid
from typing import Any

import psycopg

from tests.integration.database.crowd import Crowd
from tests.integration.database.specs import Agent, SpecTask
from tests.integration.database.world import Client, World, refused


async def at_work(
    world: World, label: str = "1", task: SpecTask | None = None, **wishes: Any
) -> tuple[SpecTask, Agent]:
    task = task or await SpecTask.approved(world, **wishes)
    client = await world.client(task.office)
    session = await task.started(label, client)
    assert session
    return task, Agent(client, session)


async def test_an_agent_adds_a_work_session_whose_parent_it_is(world: World) -> None:
    task, agent = await at_work(world)
    added = (await agent.asks("spawn_session", title="Migrate", prompt="Write it", role="qa", depends_on=["3"]))[
        "answer"
    ]
    assert (added["label"], added["role"], added["branch"]) == ("s1", "QA", "agent/QA-login-s1")
    row = await task.session("s1")
    assert (row["kind"], row["depth"], row["depends_on"]) == ("spawned", 1, ["3"])
    state = await task.call("spec_task_state")
    sessions = {one["label"]: one for one in state["sessions"]}
    assert sessions["s1"]["parent"] == "1"
    assert sessions["1"]["children"] == ["s1"]
    [event] = await world.owner.ask("select * from coordination_events where kind = 'spawned'")
    assert event["author"] == f"session:{agent.session}"
    await task.worked("1")
    await task.of("1", "spec_session_merged", p_commit="c0ffee")
    for label in ("2", "3", "s1"):
        assert await task.status() == "implementation"
        await task.to_its_end(label)
    assert await task.status() == "done"


async def test_the_same_call_told_twice_is_done_once(world: World) -> None:
    task, agent = await at_work(world)
    call = uuid.uuid4()
    first = await agent.asks("spawn_session", call=call, title="x")
    assert await agent.asks("spawn_session", call=call, title="x") == first
    assert len(await task.states()) == 4
    with refused("SO002", "made before"):
        await agent.asks("leave_message", call=call, text="x")


async def test_how_much_and_how_deep_agents_may_add_is_limited(world: World) -> None:
    task, agent = await at_work(world, max_spawned=2, max_depth=1)
    await agent.asks("spawn_session", title="one")
    _, deeper = await at_work(world, "s1", task)
    with refused("SO005", "may go 1 deep"):
        await deeper.asks("spawn_session", title="two")
    await agent.asks("spawn_session", title="two")
    with refused("SO005", "may add 2"):
        await agent.asks("spawn_session", title="three")


async def test_what_it_wants_of_a_session_must_make_sense(world: World) -> None:
    _, agent = await at_work(world)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, '"title"'),
        ({"title": "x" * 301}, '"title"'),
        ({"title": "x", "role": "CEO"}, "unknown role"),
        ({"title": "x", "prompt": "y" * 32769}, '"prompt"'),
        ({"title": "x", "depends_on": ["9"]}, 'no work session "9"'),
    ]
    for arguments, words in wrong:
        with refused("SO004", words):
            await agent.asks("spawn_session", **arguments)


async def test_messages_reach_whom_they_are_for_once_and_never_their_writer(world: World) -> None:
    task, one = await at_work(world)
    _, three = await at_work(world, "3", task)
    await one.asks("leave_message", text="for all")
    await one.asks("leave_message", text="for three", to="3")
    await one.asks("leave_message", text="for two", to="2")
    await world.service.call("leave_spec_message", p_task=task.id, p_text="from a person", p_author="token:a")
    assert (await three.asks("read_context"))["answer"]["unread_messages"] == 3
    told = (await three.asks("read_messages"))["answer"]["messages"]
    assert [(message["from"], message["text"]) for message in told] == [
        ("1", "for all"), ("1", "for three"), ("token:a", "from a person"),
    ]  # fmt: skip
    assert (await three.asks("read_messages"))["answer"]["messages"] == []
    assert [m["text"] for m in (await one.asks("read_messages"))["answer"]["messages"]] == ["from a person"]
    with refused("SO004", 'no work session "9"'):
        await one.asks("leave_message", text="x", to="9")


async def test_the_context_shows_the_task_its_sessions_and_one_document(world: World) -> None:
    _, agent = await at_work(world)
    await agent.asks("report_progress", text="half of it", percent=50)
    context = (await agent.asks("read_context", document="tasks.md"))["answer"]
    assert context["you"]["label"] == "1"
    assert context["document"].startswith("# Tasks")
    assert context["documents"] == ["tasks.md"]
    assert {one["label"]: one["status"] for one in context["sessions"]} == {
        "1": "running",
        "2": "waiting",
        "3": "waiting",
    }
    assert next(one for one in context["sessions"] if one["label"] == "1")["progress"] == "half of it"
    with refused("SO004", 'no document "x.md"'):
        await agent.asks("read_context", document="x.md")


async def test_a_session_without_a_task_reports_and_asks_and_shares_with_nobody(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    agent = Agent(client, await client.open_session(office))
    assert await agent.asks("report_progress", text="reading") == {"answer": {"noted": True}}
    [event] = await world.owner.ask("select * from session_events where kind = 'progress'")
    assert event["detail"] == {"text": "reading"}
    with refused("SO002", "works on no spec task"):
        await agent.asks("spawn_session", title="x")
    with refused("SO004", "no tool"):
        _, other = await at_work(world)
        await other.asks("rm")


async def test_a_question_is_answered_once_by_an_operator_and_told_to_its_agent(world: World) -> None:
    task, agent = await at_work(world)
    question = (await agent.asks("ask_person", text="Which?", options=["a", "b"]))["question"]
    waiting = [uuid.UUID(question)]
    assert await agent.client.call("agent_answers", p_questions=waiting) == {}
    viewer, operator = await world.member(task.office, "viewer"), await world.member(task.office, "operator")
    with refused("SO005"):
        await viewer.call("answer_question", p_question=question, p_answer="a")
    with refused("SO004", "empty"):
        await operator.call("answer_question", p_question=question, p_answer=" ")
    await operator.call("answer_question", p_question=question, p_answer="a")
    with refused("SO002", "was answered"):
        await operator.call("answer_question", p_question=question, p_answer="b")
    told = await agent.client.call("agent_answers", p_questions=waiting)
    assert told == {question: {"question_id": question, "answer": "a", "answered_by": f"user:{operator.user}"}}
    assert (await task.events())[-2:] == ["question", "answered"]


async def test_a_question_expires_with_its_time_and_with_its_session(world: World) -> None:
    _, agent = await at_work(world)
    late = (await agent.asks("ask_person", text="Which?", wait_s=1))["question"]
    gone = (await agent.asks("ask_person", text="Which?"))["question"]
    await world.owner.ask("update questions set expires_at = now() - interval '1 second' where id = %s", late)
    told = await agent.client.call("agent_answers", p_questions=[uuid.UUID(late), uuid.UUID(gone)])
    assert told == {late: {"question_id": late, "answer": None, "expired": True}}
    with refused("SO002", "expired at"):
        await world.service.call("answer_question", p_question=late, p_answer="a")
    await agent.client.move(agent.session, "terminated")
    assert await world.service.call("expire_questions") == 1


async def test_another_machine_older_process_or_person_asks_nothing_in_a_session_s_name(world: World) -> None:
    task, agent = await at_work(world)
    other = await world.client(task.office)
    with refused("SO003"):
        await Agent(other, agent.session).asks("report_progress", text="x")
    old = agent.client.as_it_was()
    await agent.client.register(agent.session)
    with refused("SO001"):
        await Agent(old, agent.session).asks("report_progress", text="x")
    person = Client(await world.member(task.office, "admin"), agent.client.id, epoch=agent.client.epoch)
    with refused("SO005"):
        await Agent(person, agent.session).asks("report_progress", text="x")


async def test_of_two_that_answer_at_once_one_does(crowd: Crowd) -> None:
    _, agent = await at_work(crowd.world)
    question = (await agent.asks("ask_person", text="Which?"))["question"]

    async def answer() -> str:
        caller = await crowd.service()
        try:
            await caller.call("answer_question", p_question=question, p_answer="a")
        except psycopg.Error as error:
            return error.sqlstate or ""
        return "answered"

    assert sorted(await asyncio.gather(answer(), answer())) == ["SO002", "answered"]
