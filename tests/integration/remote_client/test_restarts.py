"""A client that is killed or restarted: its sessions live on, and what ran is followed to its end. Nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.integration.remote_client.office import Machine, Office, written

DONE = "echo '[SEMO:DONE]'"


@pytest_asyncio.fixture(loop_scope="session")
async def killable(office: Office, repository: Path, tmp_path: Path) -> AsyncIterator[Machine]:
    machine = await office.enrol("laptop", tmp_path / "laptop", repository)
    await machine.start_process()
    try:
        yield machine
    finally:
        await machine.stop()


def slow(tmp_path: Path, done: str = DONE) -> tuple[str, Path, Path]:
    """A script that tells that it began, and goes on when it is let."""
    began, go = tmp_path / "began", tmp_path / "go"
    return f"echo began >> {began}\nuntil [ -e {go} ]; do sleep 0.05; done\necho af''ter\n{done}", began, go


async def gone(pid_file: Path) -> None:
    """Returns when the process whose pid stands in the file has ended."""
    pid = int(pid_file.read_text())
    async with asyncio.timeout(45):
        while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110  nobody else can tell
            await asyncio.sleep(0.02)


async def all_output(office: Office, session_id: object) -> str:
    rows = await office.sql(
        "select start_offset, end_offset, text from session_output where session_id = %s order by 1", session_id
    )
    position = 0
    for row in rows:
        assert row["start_offset"] == position, "a gap, or something twice"
        position = row["end_offset"]
    return "".join(row["text"] for row in rows)


async def test_a_turn_runs_on_while_its_client_is_killed_and_started_again(
    office: Office, killable: Machine, tmp_path: Path
) -> None:
    session_id = await office.session()
    script, began, go = slow(tmp_path)
    asked = await office.ask("send_prompt", {"text": script}, session_id=session_id)
    await written(began)

    await killable.kill()
    await killable.start_process()
    go.touch()

    command = await office.until(asked)
    assert (command.status, command.row["attempt"]) == ("completed", 1)
    assert began.read_text() == "began\n", "it was typed once"
    again = await office.do("send_prompt", {"text": f"echo and more\n{DONE}"}, session_id=session_id)
    assert again.status == "completed"
    output = await all_output(office, session_id)
    assert output.count("after") == 1
    assert "and more" in output


async def test_a_turn_that_ended_while_no_client_was_there_is_told_as_it_was(
    office: Office, killable: Machine, tmp_path: Path
) -> None:
    session_id = await office.session()
    script, began, go = slow(tmp_path, done="exit 3")
    script = f"echo $$ > {tmp_path}/pid\n{script}"
    asked = await office.ask("send_prompt", {"text": script}, session_id=session_id)
    await written(began)

    await killable.kill()
    go.touch()
    await gone(tmp_path / "pid")
    await killable.start_process()

    command = await office.until(asked)
    assert command.status == "failed"
    assert command.result is not None
    assert command.result["outcome"] == "error"
    assert command.result["evidence"][-1] == {"kind": "exit", "status": 3, "offset": command.result["output_end"]}
    ended = await office.until_true(
        "select end_reason from agent_sessions where id = %s and ended_at is not null", session_id
    )
    assert "status 3" in ended[0]["end_reason"]


async def test_a_prompt_without_a_session_gives_its_session_back_after_a_restart(
    office: Office, killable: Machine, tmp_path: Path
) -> None:
    script, began, go = slow(tmp_path)
    asked = await office.ask("send_prompt", {"role": "BE", "text": script})
    await written(began)

    await killable.kill()
    await killable.start_process()
    go.touch()

    assert (await office.until(asked)).status == "completed"
    await office.until_true(
        "select 1 from agent_sessions where ended_at is null and acquired_by is null and status = 'ready'"
    )


async def test_a_running_prompt_can_be_cancelled_by_the_client_that_came_after(
    office: Office, killable: Machine, tmp_path: Path
) -> None:
    session_id = await office.session()
    script, began, _ = slow(tmp_path)
    asked = await office.ask("send_prompt", {"text": script}, session_id=session_id)
    await written(began)

    await killable.kill()
    await killable.start_process()
    await office.do("cancel", {}, session_id=session_id)

    command = await office.until(asked)
    assert command.result is not None
    assert command.result["outcome"] == "interrupted"


async def test_idle_sessions_are_kept_and_not_made_anew(office: Office, killable: Machine) -> None:
    session_id = await office.session()
    await office.do("send_prompt", {"text": f"MINE=kept\n{DONE}"}, session_id=session_id)
    before = await office.sql("select id from agent_sessions where ended_at is null order by 1")

    await killable.kill()
    await killable.start_process()

    turn = await office.do("send_prompt", {"text": f"echo it is $MINE\n{DONE}"}, session_id=session_id)
    assert turn.status == "completed"
    assert "it is kept" in await all_output(office, session_id)
    assert await office.sql("select id from agent_sessions where ended_at is null order by 1") == before


async def test_a_client_that_stops_leaves_its_sessions_to_the_next_one(
    office: Office, repository: Path, tmp_path: Path
) -> None:
    machine = await office.enrol("upgraded", tmp_path / "upgraded", repository)
    await machine.start(sessions_at_stop="keep")
    try:
        busy, idle = await office.session("BE"), await office.session("QA")
        await office.do("send_prompt", {"text": f"MINE=kept\n{DONE}"}, session_id=idle)
        script, began, go = slow(tmp_path)
        asked = await office.ask("send_prompt", {"text": script}, session_id=busy)
        await written(began)

        await machine.stop()
        await machine.start(sessions_at_stop="keep")
        go.touch()

        command = await office.until(asked)
        assert (command.status, command.row["attempt"]) == ("completed", 1)
        turn = await office.do("send_prompt", {"text": f"echo it is $MINE\n{DONE}"}, session_id=idle)
        assert turn.status == "completed"
        assert "it is kept" in await all_output(office, idle)
    finally:
        await machine.stop()
        await machine.end_terminals()


async def test_what_the_office_ended_meanwhile_is_ended_here(office: Office, killable: Machine, tmp_path: Path) -> None:
    session_id = await office.session()
    await office.do("send_prompt", {"text": f"echo $$ > {tmp_path}/pid\n{DONE}"}, session_id=session_id)

    await killable.kill()
    await office.sql(
        "update agent_sessions set status = 'terminated', ended_at = now(), acquired_by = null where id = %s",
        session_id,
    )
    await killable.start_process()

    await gone(tmp_path / "pid")


async def test_a_turn_that_the_office_gave_up_while_no_client_was_there_ends_its_session_and_holds_up_nothing(
    office: Office, killable: Machine, tmp_path: Path
) -> None:
    session_id = await office.session()
    script, began, _ = slow(tmp_path)
    asked = await office.ask("send_prompt", {"text": script}, session_id=session_id)
    await written(began)

    await killable.kill()
    await office.sql("update agent_commands set lease_until = now() - interval '1 second' where id = %s", asked)
    await office.sql("select rescue_commands()")
    behind = await office.ask("send_prompt", {"text": DONE}, session_id=session_id)
    await killable.start_process()

    assert (await office.command(asked)).status == "lost"
    assert (await office.until(behind)).status == "failed", "its session is over"
    assert began.read_text() == "began\n"
    assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "completed"
