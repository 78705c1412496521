"""A person types into a session while its agent works: the turn goes on, and says so."""

from pathlib import Path

from remote_client.ptyhost.link import HostLink
from remote_client.ptyhost.places import own_place
from tests.integration.remote_client.office import MakeMachine, Office

ASKS = "read -r word; echo \"got $word\"; echo '[SEMO:DONE]'"


async def test_typing_at_the_machine_is_in_the_evidence_of_the_turn(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    laptop = await (await machine()).start()
    session_id = await office.session()
    prompt = await office.ask("send_prompt", {"text": ASKS}, session_id=session_id)
    await office.until_true("select 1 from agent_commands where id = %s and typed_at is not null", prompt)

    host = await HostLink.open(own_place(laptop.folder / "state" / "host"))
    assert host is not None
    await host.call("write", b"hello\r", session_id=str(session_id), by="ada")
    answer = await office.until(prompt)
    await host.close()

    assert answer.status == "completed", answer
    [touched] = [one for one in answer.result["evidence"] if one["kind"] == "touched"]
    assert touched["by"] == "ada"
    assert answer.result["output_start"] <= touched["offset"] <= answer.result["output_end"]
    [event] = await office.until_true(
        "select detail from session_events where session_id = %s and kind = 'taken_over'", session_id
    )
    assert event["detail"] == {"by": "ada", "at": touched["offset"]}


async def test_send_text_during_a_turn_is_in_its_evidence_with_its_author(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id = await office.session()
    prompt = await office.ask("send_prompt", {"text": ASKS}, session_id=session_id)
    await office.until_true("select 1 from agent_commands where id = %s and typed_at is not null", prompt)

    await office.do("send_text", {"text": "hello\r"}, session_id=session_id, author="token:ada")
    answer = await office.until(prompt)

    assert answer.status == "completed", answer
    assert [one["by"] for one in answer.result["evidence"] if one["kind"] == "touched"] == ["token:ada"]
    await office.until_true("select 1 from session_events where session_id = %s and kind = 'taken_over'", session_id)


async def test_what_was_typed_between_turns_is_not_evidence_of_the_next(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id = await office.session()
    await office.do("send_text", {"text": "half a comm"}, session_id=session_id, author="token:ada")

    answer = await office.do("send_prompt", {"text": "echo '[SEMO:DONE]'"}, session_id=session_id)

    assert answer.status == "completed", answer
    assert "touched" not in [one["kind"] for one in answer.result["evidence"]]
