"""Sessions and the pool: kept warm, made on demand, reset between uses, ended with everything in them."""

import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

from remote_client import pool_keeper
from tests.integration.remote_client.office import MakeMachine, Office, git, written

DONE = "echo '[SEMO:DONE]'"


async def test_warm_roles_are_ready_before_anybody_asks(office: Office, machine: MakeMachine) -> None:
    await office.sql("update offices set warm_roles = '{FE,QA}' where id = %s", office.office_id)

    await (await machine()).start()

    await office.until_true(
        "select 1 from agent_sessions where office_id = %s and pool = 'warm' and status = 'ready' "
        "having array_agg(role order by role) = '{FE,QA}'", office.office_id,
    )  # fmt: skip
    answer = await office.do("send_prompt", {"role": "QA", "text": DONE})
    used = await office.sql("select pool from agent_sessions where id = %s", answer.result["session_id"])
    assert used == [{"pool": "warm"}]


async def test_a_released_session_carries_nothing_into_the_next_use(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    first = await office.do("send_prompt", {"role": "BE", "text": f"export SECRET=1; cd /; touch $OLDPWD/left\n{DONE}"})
    session_id = first.result["session_id"]
    await office.until_true(
        "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null", session_id
    )

    second = await office.do("send_prompt", {"role": "BE", "text": f'[ -z "$SECRET" ] && ls && pwd && {DONE}'})

    assert second.status == "completed", second
    assert second.result["session_id"] == session_id, "the session was used again"
    assert second.result["output_start"] >= first.result["output_end"], "its output goes on counting"
    rows = await office.sql("select worktree_path from agent_sessions where id = %s", session_id)
    assert not (Path(rows[0]["worktree_path"]) / "left").exists()


async def test_a_session_that_is_asked_for_when_every_place_is_idle_takes_one(
    office: Office, machine: MakeMachine
) -> None:
    await office.sql("update offices set warm_roles = '{FE}' where id = %s", office.office_id)
    await (await machine(max_sessions=1)).start()
    await office.until_true("select 1 from agent_sessions where office_id = %s and status = 'ready'", office.office_id)

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    assert answer.status == "completed", answer
    reasons = await office.sql("select end_reason from agent_sessions where role = 'FE' and ended_at is not null")
    assert {"end_reason": "evicted"} in reasons


async def test_a_shell_that_exits_ends_its_session_with_the_status(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id = await office.session()

    answer = await office.do("send_prompt", {"text": "exit 3"}, session_id=session_id)

    assert answer.error_code == "turn_error", answer
    assert answer.result["evidence"][-1]["status"] == 3
    # The result says at first why it ended; the terminal's own word comes after it and stays.
    told = "select status from agent_sessions where id = %s and end_reason = 'exited with status 3'"
    assert (await office.until_true(told, session_id))[0]["status"] == "terminated"


async def test_a_prompt_that_runs_too_long_is_interrupted(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()

    answer = await office.do("send_prompt", {"role": "BE", "text": "sleep 60", "timeout_s": 1})

    assert answer.error_code == "turn_interrupted", answer
    assert answer.result["evidence"][0]["kind"] == "timeout"


async def test_the_largest_prompt_arrives_whole(office: Office, machine: MakeMachine, tmp_path: Path) -> None:
    await (await machine()).start()
    session_id = await office.session()
    lines = "\n".join(f"line {number:05} " + "é" * 30 for number in range(3500))
    prompt = f"cat > {tmp_path}/big <<'END'\n{lines}\nEND\n{DONE}"
    assert 250_000 < len(prompt.encode()) <= 262_144

    answer = await office.do("send_prompt", {"text": prompt}, session_id=session_id)

    assert answer.status == "completed", answer
    assert (tmp_path / "big").read_text() == lines + "\n"


async def test_keys_and_text_reach_what_runs(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id = await office.session()
    asked = await office.ask("send_prompt", {"text": f"read answer; echo got $answer\n{DONE}"}, session_id=session_id)
    await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session_id)

    await office.do("send_text", {"text": "forty-two"}, session_id=session_id)
    await office.do("send_keys", {"keys": ["enter"]}, session_id=session_id)

    answer = await office.until(asked)
    assert answer.status == "completed", answer
    seen = await office.do("get_output", session_id=session_id)
    assert "got forty-two" in seen.result["output"]


async def test_output_in_the_table_is_what_the_terminal_said_byte_for_byte(
    office: Office, machine: MakeMachine
) -> None:
    await (await machine()).start()
    session_id = await office.session()
    turn = await office.do(
        "send_prompt", {"text": f"for i in {{1..2000}}; do echo é$i; done\n{DONE}"}, session_id=session_id
    )
    await office.until_true(
        "select 1 from agent_sessions where id = %s and output_bytes >= %s", session_id, turn.result["output_end"]
    )

    chunks = await office.sql("select * from session_output where session_id = %s order by start_offset", session_id)

    assert chunks[0]["start_offset"] == 0
    for before, after in pairwise(chunks):
        assert before["end_offset"] == after["start_offset"]
    assert all(len(chunk["text"].encode()) == chunk["end_offset"] - chunk["start_offset"] for chunk in chunks)
    assert "é2000" in "".join(chunk["text"] for chunk in chunks)


@pytest.mark.parametrize("kind", ["nowhere", "empty", "outside"])
async def test_a_repository_that_cannot_be_used_is_refused_clearly(
    office: Office, machine: MakeMachine, tmp_path: Path, kind: str
) -> None:
    laptop = await machine()
    place = tmp_path / kind
    if kind != "nowhere":
        git("init", "--quiet", str(place))
    laptop.write_policy(place, roots=[str(tmp_path / "other")] if kind == "outside" else [str(tmp_path)])
    await laptop.start()

    answer = await office.do("create_session", {"role": "BE"})

    code, words = {
        "nowhere": ("not_found", "does not exist"),
        "empty": ("invalid_payload", "has no commit"),
        "outside": ("policy_forbids", "allowed_roots"),
    }[kind]
    assert answer.error_code == code, answer
    assert words in answer.error
    assert (
        await office.sql("select 1 from agent_sessions where office_id = %s and ended_at is null", office.office_id)
        == []
    )


async def test_an_option_that_the_agent_does_not_know_is_refused(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()

    answer = await office.do("create_session", {"role": "BE", "model": "best"})

    assert answer.error_code == "invalid_payload", answer


async def test_a_terminated_session_takes_everything_with_it(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    await (await machine()).start()
    session_id = await office.session()
    pid_file = tmp_path / "pid"
    await office.do(
        "send_prompt", {"text": f"setsid sh -c 'trap \"\" HUP TERM; echo $$ > {pid_file}; sleep 100' &\n{DONE}"},
        session_id=session_id,
    )  # fmt: skip
    pid = int(await written(pid_file))
    assert Path(f"/proc/{pid}").exists()

    await office.do("terminate", session_id=session_id)

    assert not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    again = await office.do("terminate", session_id=session_id)
    assert again.result == {"status": "terminated"}


async def test_a_released_session_goes_back_to_the_pool(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()
    session_id: UUID = await office.session()

    released = await office.do("release_session", session_id=session_id)

    assert released.result == {"status": "idle"}
    await office.until_true(
        "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null", session_id
    )


@pytest.mark.parametrize("others", [0, 1])
async def test_a_session_that_the_office_does_not_give_is_passed_over_and_made_fresh(
    office: Office, machine: MakeMachine, others: int
) -> None:
    await (await machine()).start()
    made = [await office.session() for _ in range(1 + others)]
    for session_id in made:
        await the_session_is_released(office, session_id)
    elsewhere = await office.ask("create_session", {"role": "BE"}, deadline="2020-01-01")
    await office.sql("update agent_sessions set acquired_by = %s where id = %s", elsewhere, made[0])

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    assert answer.status == "completed", answer
    used = UUID(answer.result["session_id"])
    assert used == made[1] if others else used not in made
    await office.until_true(
        "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null", made[0]
    )


async def test_a_prompt_that_waits_for_a_place_takes_the_session_that_comes_back(
    office: Office, machine: MakeMachine
) -> None:
    await (await machine(max_sessions=1)).start()

    asked = [await office.ask("send_prompt", {"role": "BE", "text": DONE}) for _ in range(3)]

    answers = [await office.until(command_id) for command_id in asked]
    assert len({answer.result["session_id"] for answer in answers}) == 1, answers


async def test_cold_sessions_that_nobody_used_for_long_are_closed(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=time.monotonic)
    monkeypatch.setattr(pool_keeper, "time", clock)
    monkeypatch.setattr(pool_keeper, "LOOK_SECONDS", 0.01)
    await office.sql("update offices set warm_roles = '{FE}', idle_seconds = 600 where id = %s", office.office_id)
    await (await machine()).start()
    held, idle = await office.session("QA"), await office.session("BE")
    await the_session_is_released(office, idle)
    alive = "select id, pool from agent_sessions where office_id = %s and ended_at is null"
    [warm] = await office.until_true(alive + " and pool = 'warm' and status = 'ready'", office.office_id)
    assert {row["id"] for row in await office.sql(alive, office.office_id)} == {held, idle, warm["id"]}

    clock.monotonic = lambda: time.monotonic() + 600

    await office.until_true("select 1 from agent_sessions where id = %s and end_reason = 'idle'", idle)
    assert {row["id"] for row in await office.sql(alive, office.office_id)} == {held, warm["id"]}


async def test_a_warm_session_that_cannot_be_made_is_tried_again_ever_more_rarely_and_told_once(
    office: Office, machine: MakeMachine, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_keeper, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(pool_keeper, "FIRST_PAUSE_SECONDS", 0.1)
    await office.sql("update offices set warm_roles = '{BE}' where id = %s", office.office_id)
    laptop = await machine()
    later = tmp_path / "later"
    later.mkdir()
    laptop.write_policy(later)
    await laptop.start()

    await office.until_true(TRIES + " having count(*) = 5", office.office_id)
    repository.rename(later)
    await office.until_true(
        "select 1 from agent_sessions where office_id = %s and pool = 'warm' and status = 'ready'", office.office_id
    )

    [tries] = await office.sql(TRIES, office.office_id)
    pauses = [later - earlier for earlier, later in pairwise(tries["times"])]
    assert all(pause >= 0.1 * 2**number for number, pause in enumerate(pauses)), pauses
    told = await office.sql(
        "select detail->>'error_code' as code from session_events where office_id = %s and kind = 'warm_failed'",
        office.office_id,
    )
    assert told == [{"code": "policy_forbids"}]


TRIES = (
    "select array_agg(extract(epoch from created_at)::float order by created_at) as times from agent_sessions "
    "where office_id = %s"
)


async def the_session_is_released(office: Office, session_id: UUID) -> None:
    """And has its fresh start behind it: another process runs in it."""
    [before] = await office.sql("select pid from agent_sessions where id = %s", session_id)
    await office.do("release_session", session_id=session_id)
    await office.until_true(
        "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null and pid <> %s",
        session_id, before["pid"],
    )  # fmt: skip
