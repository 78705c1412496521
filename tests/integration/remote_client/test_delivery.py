"""Who runs what, how often, and what becomes of it when a client goes away."""

from pathlib import Path
from uuid import UUID

import pytest

from shared.errors import Conflict, Fenced
from tests.integration.remote_client.office import Machine, MakeMachine, Office, written
from tests.support.processes import environment_of

DONE = "echo '[SEMO:DONE]'"


async def test_a_command_inserted_while_the_client_was_down_runs_when_it_starts(
    office: Office, machine: MakeMachine
) -> None:
    laptop = await machine()
    waiting = await office.ask("send_prompt", {"role": "BE", "text": DONE})

    await laptop.start()

    answer = await office.until(waiting)
    assert answer.status == "completed", answer


async def test_without_realtime_a_command_is_found_by_polling(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start(realtime=False, poll_seconds=0.3)

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    assert answer.status == "completed", answer


async def test_with_two_clients_in_one_office_each_command_runs_once(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        await (await machine(name)).start()
    log = tmp_path / "runs"
    log.touch()

    asked = [
        await office.ask("send_prompt", {"role": "BE", "text": f"echo {number} >> {log}\n{DONE}"})
        for number in range(8)
    ]
    answers = [await office.until(command_id) for command_id in asked]

    assert [answer.status for answer in answers] == ["completed"] * 8, answers
    assert sorted(log.read_text().split()) == [str(number) for number in range(8)]
    assert {answer.row["attempt"] for answer in answers} == {1}


async def test_a_prompt_that_waited_for_a_place_is_taken_as_soon_as_one_is_free(
    office: Office, machine: MakeMachine
) -> None:
    await (await machine(max_sessions=1)).start(poll_seconds=3600)

    asked = [await office.ask("send_prompt", {"role": "BE", "text": f"sleep 0.2\n{DONE}"}) for _ in range(3)]

    answers = [await office.until(command_id) for command_id in asked]
    assert [answer.status for answer in answers] == ["completed"] * 3, answers


async def test_a_session_that_dies_frees_its_place_at_once(office: Office, machine: MakeMachine) -> None:
    await (await machine(max_sessions=1)).start(poll_seconds=3600)
    session_id = await office.session()
    waiting = await office.ask("send_prompt", {"role": "BE", "text": DONE})

    await office.do("send_text", {"text": "exit\n"}, session_id=session_id)

    assert (await office.until(waiting)).status == "completed"


@pytest.mark.parametrize("lines", [1, 5000])
async def test_whoever_sees_a_result_finds_its_output(office: Office, machine: MakeMachine, lines: int) -> None:
    """The uplink's own time never comes here: what the result does not bring along is not there."""
    await (await machine()).start(uplink_seconds=3600, uplink_batch_bytes=4096)
    session_id = await office.session()

    asked = await office.ask("send_prompt", {"text": f"seq {lines}\n{DONE}"}, session_id=session_id)

    [seen] = await office.until_true(
        "select (r.result ->> 'output_end')::bigint as output_end, "
        "(select sum(end_offset - start_offset) from session_output o where o.session_id = %s and o.start_offset < "
        "(r.result ->> 'output_end')::bigint) as there from agent_command_results r where r.command_id = %s",
        session_id, asked,
    )  # fmt: skip
    assert seen["there"] is not None, "none of its output is there"
    assert seen["there"] >= seen["output_end"] > lines, "every byte up to its end is there"


async def test_prompts_of_a_session_run_one_after_another_in_order(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    await (await machine()).start()
    session_id = await office.session()
    log = tmp_path / "order"

    asked = [
        await office.ask("send_prompt", {"text": f"sleep 0.05\necho {number} >> {log}\n{DONE}"}, session_id=session_id)
        for number in range(6)
    ]
    for command_id in asked:
        await office.until(command_id, "completed")

    assert log.read_text().split() == [str(number) for number in range(6)]


async def test_cancel_goes_past_a_running_prompt(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id = await office.session()
    long = await office.ask("send_prompt", {"text": "sleep 60\necho never"}, session_id=session_id)
    await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session_id)

    cancelled = await office.do("cancel", session_id=session_id)
    answer = await office.until(long)

    assert cancelled.result == {"status": "ready"}, cancelled
    assert answer.status == "failed"
    assert answer.error_code == "turn_interrupted"
    assert answer.result["outcome"] == "interrupted"
    assert (await office.do("send_prompt", {"text": DONE}, session_id=session_id)).status == "completed"


async def test_a_prompt_is_lost_and_not_typed_again_when_the_client_and_the_host_of_its_terminal_die(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    laptop = await machine()
    await laptop.start_process()
    log = tmp_path / "typed"
    prompt = f"echo typed >> {log}\nsleep 60"
    asked = await office.ask("send_prompt", {"role": "BE", "text": prompt})
    await written(log)

    await laptop.kill()
    await laptop.kill_host()
    await laptop.start_process()

    answer = await office.until(asked)
    assert answer.error_code in ("turn_lost", "lost"), answer
    assert log.read_text() == "typed\n"
    await office.until_true(
        "select 1 from agent_sessions where client_id = %s and ended_at is not null", laptop.client_id
    )


async def test_a_graceful_stop_interrupts_what_runs_and_leaves_no_process(office: Office, machine: MakeMachine) -> None:
    laptop = await machine()
    await laptop.start_process()
    session_id = await office.session()
    running = await office.ask("send_prompt", {"text": "sleep 60"}, session_id=session_id)
    await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session_id)
    behind = await office.ask("send_prompt", {"text": "echo behind"}, session_id=session_id)

    await laptop.stop()

    answer = await office.until(running)
    assert answer.error_code == "turn_interrupted", answer
    assert (await office.command(behind)).status == "pending"
    sessions = await office.sql("select status, end_reason from agent_sessions where id = %s", session_id)
    assert sessions == [{"status": "terminated", "end_reason": "client_stopped"}]
    assert processes_of(str(session_id)) == []


async def test_a_newer_process_of_the_same_client_fences_the_older_one_out(
    office: Office, machine: MakeMachine
) -> None:
    laptop = await machine()
    await laptop.start()

    await office.sql("update remote_clients set epoch = epoch + 1 where id = %s", laptop.client_id)

    with pytest.raises(Fenced):
        await laptop.ended()


async def test_two_processes_of_one_client_do_not_run_on_one_machine(office: Office, machine: MakeMachine) -> None:
    laptop = await machine()
    await laptop.start()
    twin = Machine(office, laptop.client_id, laptop.folder)

    with pytest.raises(Conflict, match="another process of this client"):
        await twin.start()


async def test_a_prompt_whose_lease_is_gone_is_stopped(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id = await office.session()
    asked = await office.ask("send_prompt", {"text": "sleep 60"}, session_id=session_id)
    await office.until(asked, "processing")
    await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session_id)

    await office.sql("update agent_commands set lease_until = now() - interval '1 second' where id = %s", asked)
    await office.sql("select rescue_commands()")

    assert (await office.command(asked)).status == "lost"
    await office.until_true("select 1 from session_events where command_id = %s and kind = 'lease_lost'", asked)


async def test_a_command_that_is_offered_again_comes_back_to_the_client_that_lost_it(
    office: Office, machine: MakeMachine
) -> None:
    await (await machine()).start(poll_seconds=3600)
    asked = await a_command_that_takes_long(office)

    await office.sql("update agent_commands set lease_until = now() - interval '1 second' where id = %s", asked)
    await office.until_true(
        "select 1 from agent_commands where id = %s and attempt = 2 and status = 'processing'", asked
    )

    await the_persona_is_rendered(office)
    answer = await office.until(asked)
    assert (answer.status, answer.row["attempt"]) == ("completed", 2), answer


async def test_a_hint_of_a_command_that_was_lost_some_time_ago_counts(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start(poll_seconds=3600)
    asked = await a_command_that_takes_long(office)
    await office.sql("update agent_commands set claim_epoch = claim_epoch - 1 where id = %s", asked)
    await office.until_true("select 1 from session_events where command_id = %s and kind = 'lease_lost'", asked)

    await office.sql("update agent_commands set lease_until = now() - interval '1 second' where id = %s", asked)

    await office.until_true(
        "select 1 from agent_commands where id = %s and attempt = 2 and status = 'processing'", asked
    )


async def test_a_session_whose_making_was_told_too_late_goes_into_the_pool(
    office: Office, machine: MakeMachine
) -> None:
    await (await machine(max_sessions=1)).start(lease_seconds=60)
    asked = await a_command_that_takes_long(office)
    await office.sql("update agent_commands set claim_epoch = claim_epoch - 1 where id = %s", asked)

    await the_persona_is_rendered(office)

    [idle] = await office.until_true(
        "select id from agent_sessions where office_id = %s and status = 'ready' and acquired_by is null",
        office.office_id,
    )
    await office.sql("update agent_commands set lease_until = now() - interval '1 second' where id = %s", asked)
    answer = await office.until(asked)
    assert (answer.row["attempt"], answer.result["session_id"]) == (2, str(idle["id"])), answer


async def test_the_output_of_a_prompt_whose_result_came_too_late_is_there(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    await (await machine()).start(lease_seconds=60)
    session_id = await office.session()
    go = tmp_path / "go"
    script = f"until [ -e {go} ]; do sleep 0.05; done; echo these $((40 + 2)) words\n{DONE}"
    asked = await office.ask("send_prompt", {"text": script}, session_id=session_id)
    await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session_id)
    await office.sql("update agent_commands set claim_epoch = claim_epoch - 1 where id = %s", asked)

    go.touch()

    await office.until_true(
        "select 1 from session_output where session_id = %s having string_agg(text, '' order by start_offset) "
        "like '%%these 42 words%%[SEMO:DONE]%%'", session_id,
    )  # fmt: skip
    assert (await office.command(asked)).status == "processing", "nobody took the result"


async def the_persona_is_rendered(office: Office) -> None:
    await office.sql(
        "update agent_personas set rendered = '', rendered_version = version where office_id = %s", office.office_id
    )


async def a_command_that_takes_long(office: Office) -> UUID:
    """Its session waits for a persona that nobody has rendered yet."""
    await office.sql(
        "insert into agent_personas (office_id, role, name, persona_prompt) values (%s, 'BE', 'Ben', 'You are Ben.')",
        office.office_id,
    )
    asked = await office.ask("create_session", {"role": "BE"})
    await office.until(asked, "processing")
    return asked


def processes_of(session_id: str) -> list[int]:
    """Pids of every process that carries the session's tag."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"SEMO_SESSION_ID={session_id}" in environment_of(int(folder.name)):
                found.append(int(folder.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found
