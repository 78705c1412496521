"""What the office's pages are shown: one picture of an office, the output that follows, codes that sign in once."""

import uuid
from typing import Any

from tests.integration.database.world import World, refused

BAD_CODE = "SO006"


def kinds(picture: dict[str, Any]) -> list[str]:
    """What waits for a person in it."""
    return [str(one["kind"]) for one in picture["attention"]]


async def test_a_sign_in_code_works_once_and_names_who_asked_for_it(world: World):
    await world.service.insert("sign_in_codes", code_hash="a" * 64, person="token:1")
    assert await world.service.call("redeem_sign_in_code", p_code_hash="a" * 64) == "token:1"
    with refused(BAD_CODE):
        await world.service.call("redeem_sign_in_code", p_code_hash="a" * 64)


async def test_a_sign_in_code_is_good_for_a_minute(world: World):
    await world.service.insert("sign_in_codes", code_hash="b" * 64, person="token:1")
    await world.owner.ask("update sign_in_codes set expires_at = now() - interval '1 second'")
    with refused(BAD_CODE):
        await world.service.call("redeem_sign_in_code", p_code_hash="b" * 64)


async def test_who_types_into_a_session_is_looked_up_with_every_key(world: World):
    office, other = await world.office(), await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    member = await world.member(office, "viewer")
    [token] = await world.service.ask(
        "insert into api_tokens (name, role, token_hash, expires_at)"
        " values ('ada', 'operator', %s, now() + interval '1 hour') returning id",
        "c" * 64,
    )

    async def types(person: str, where: uuid.UUID = office) -> bool:
        return await world.service.call(
            "type_into_session", p_person=person, p_office=where, p_session=session, p_text="l"
        )

    by_token, by_user = f"token:{token['id']}", f"user:{member.user}"
    assert await types(by_token)
    assert not await types(by_user)
    await world.owner.ask("update office_members set role = 'operator'")
    assert await types(by_user)
    assert not await types(by_token.replace("token:", "user:"))
    assert not await types(by_user, other)
    with refused("SO003"):
        await types(by_token, other)
    await world.owner.ask("update api_tokens set expires_at = now()")
    assert not await types(by_token)
    await world.owner.ask("update api_tokens set expires_at = null, office_id = %s", other)
    assert not await types(by_token)
    await world.owner.ask("update api_tokens set office_id = null, revoked_at = now()")
    assert not await types(by_token)

    typed = await world.owner.ask("select author, command_type, payload, session_id from agent_commands order by seq")
    assert [row["author"] for row in typed] == ["token:ada", by_user]
    assert {(row["command_type"], row["payload"]["text"], row["session_id"]) for row in typed} == {
        ("send_text", "l", session)
    }


async def test_a_picture_shows_the_sessions_of_its_office_with_their_last_turn(world: World):
    office, other = await world.office(), await world.office()
    client = await world.client(office)
    await world.prompt(office)
    (command,) = await client.claim()
    session, turn = await client.open_session(office, command), uuid.uuid4()
    await client.typed(command, session, turn)
    picture = await world.service.call("office_picture", p_office=office)
    [seen] = picture["sessions"]
    assert (seen["id"], seen["turn"]["id"], seen["turns"]) == (str(session), str(turn), 1)
    assert seen["prompt"] == command["payload"]["text"]
    assert picture["machines"][0]["online"]
    assert (await world.service.call("office_picture", p_office=other))["sessions"] == []
    assert await world.service.call("session_picture", p_office=other, p_session=session) is None


async def test_what_failed_waits_for_a_person_until_it_is_put_away(world: World):
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    (command,) = await client.claim()
    await client.fail(command)
    picture = await world.service.call("office_picture", p_office=office)
    assert kinds(picture) == ["failed"]
    await world.service.insert(
        "attention_dismissed", office_id=office, kind="failed", subject=command["id"], by="token:first"
    )
    assert kinds(await world.service.call("office_picture", p_office=office)) == []


async def test_an_approval_comes_first_and_shows_exactly_what_would_be_done(world: World):
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    (command,) = await client.claim()
    session, turn = await client.open_session(office, command), uuid.uuid4()
    await client.typed(command, session, turn)
    approval = await client.ask_approval(command, session, turn)
    [first] = (await world.service.call("office_picture", p_office=office))["attention"]
    row = await world.approval(approval)
    assert (first["kind"], first["subject"], first["title"]) == ("approval", str(approval), row["tool"])
    assert (first["action"]["input"], first["action"]["digest"]) == (row["input"], row["digest"])
    await world.answer(approval, "denied")
    assert "approval" not in kinds(await world.service.call("office_picture", p_office=office))


async def test_a_machine_that_vanished_waits_for_a_person(world: World):
    office = await world.office()
    client = await world.client(office)
    await world.goes_offline(client)
    assert kinds(await world.service.call("office_picture", p_office=office)) == ["offline"]


async def test_output_follows_for_many_sessions_of_one_office_at_once(world: World):
    office, other = await world.office(), await world.office()
    client, elsewhere = await world.client(office), await world.client(other)
    one, two, foreign = (
        await client.open_session(office), await client.open_session(office), await elsewhere.open_session(other),
    )  # fmt: skip
    chunks = [{"session_id": str(one), "start": 10 * n, "end": 10 * n + 10, "text": f"{n:010}"} for n in range(5)]
    chunks += [{"session_id": str(two), "start": 0, "end": 3, "text": "two"}]
    await client.call("append_output", p_chunks=chunks)
    await elsewhere.call("append_output", p_chunks=[{"session_id": str(foreign), "start": 0, "end": 1, "text": "x"}])
    places = {str(one): 25, str(two): -1, str(foreign): -1}
    found = await world.service.call_rows("output_after", p_office=office, p_after=places)
    assert {(row["session_id"], row["start_offset"]) for row in found} == {(one, 20), (one, 30), (one, 40), (two, 0)}
    tail = await world.service.call_rows("output_after", p_office=office, p_after={str(one): -1}, p_tail=5)
    assert [row["start_offset"] for row in tail] == [40]


async def test_a_conflict_to_come_and_a_cap_that_is_reached_wait_for_a_person_as_long_as_they_last(world: World):
    office = await world.office()
    client = await world.client(office)
    pair = {"first_branch": "agent/BE-a", "second_branch": "agent/FE-b", "files": ["api.py"], "files_total": 1}
    branches = [{"branch": name} for name in ("agent/BE-a", "agent/FE-b")]
    told = {"p_office": office, "p_branches": branches, "p_pairs": [pair | {"uncommitted": False}]}
    await client.call("report_conflicts", **told)
    await world.service.call(
        "set_budget", p_office=office, p_scope="role", p_name="BE", p_period="total", p_cap_usd=1, p_cap_tokens=None,
        p_by="token:first",
    )  # fmt: skip
    await world.owner.insert("costs", turn_id=uuid.uuid4(), office_id=office, role="BE", agent="claude", cost_usd=2)
    cap, conflict = (await world.service.call("office_picture", p_office=office))["attention"]
    assert (cap["kind"], cap["title"]) == ("cap", "the cap of the role BE is reached: 2.00 of 1.00 USD")
    assert (conflict["kind"], conflict["title"], conflict["detail"]) == (
        "conflict", "agent/BE-a ↔ agent/FE-b", "api.py",
    )  # fmt: skip
    await client.call("report_conflicts", **(told | {"p_pairs": []}))
    await world.service.call(
        "set_budget", p_office=office, p_scope="role", p_name="BE", p_period="total", p_cap_usd=3, p_cap_tokens=None,
        p_by="token:first",
    )  # fmt: skip
    assert kinds(await world.service.call("office_picture", p_office=office)) == []


async def test_documents_to_review_and_a_yes_to_give_wait_for_a_person(world: World):
    office = await world.office()
    await world.owner.insert(
        "spec_tasks", office_id=office, name="talk", title="Talk", status="review", version=2, planning_role="PM",
        work_role="BE", author="token:first",
    )  # fmt: skip
    plan = await world.service.call(
        "create_plan", p_office=office, p_author="token:first",
        p_plan={"name": "p", "kind": "graph", "jobs": [{"name": "texts", "role": "BE", "prompt": "x"}]},
    )  # fmt: skip
    [job] = await world.owner.ask("select * from jobs where plan_id = %s", plan)
    execution = await world.owner.insert(
        "executions", office_id=office, plan_id=plan, job_id=job["id"], number=1, prompt="x"
    )
    await world.owner.ask(
        "update jobs set status = 'checking', execution_id = %s where id = %s", execution["id"], job["id"]
    )
    await world.owner.insert(
        "job_evidence", office_id=office, job_id=job["id"], execution_id=execution["id"], round=0, place=1,
        kind="person", condition={"person": "Do the texts read well?"}, asked_at="now",
    )  # fmt: skip
    found = {one["kind"]: one for one in (await world.service.call("office_picture", p_office=office))["attention"]}
    assert found["review"]["action"] == {"name": "talk", "version": 2}
    assert (found["evidence"]["title"], found["evidence"]["detail"]) == ("Do the texts read well?", "texts")
    await world.owner.ask("update jobs set status = 'blocked', failure_kind = 'asked', error = 'which?'")
    await world.owner.ask("update job_evidence set status = 'void'")
    found = {one["kind"]: one for one in (await world.service.call("office_picture", p_office=office))["attention"]}
    assert (found["blocked"]["detail"], found["blocked"]["action"]["answers"]) == ("which?", False)
    assert "evidence" not in found
