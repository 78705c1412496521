"""Answers that are lost on their way, or that make no sense: each is asked again, and nothing is done twice."""

import json
import random
import resource
import shutil
import signal
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from remote_client.supabase_calls import SupabaseCalls
from shared.errors import BackendDown, Fenced
from tests.integration.remote_client.office import Machine, MakeMachine, Office, written

Call = Callable[[str, dict[str, Any]], Awaitable[Any]]
DONE = "echo '[SEMO:DONE]'"


def on_the_way(monkeypatch: pytest.MonkeyPatch, meddle: Callable[[str, Any], Any]) -> None:
    """`meddle` sees every answer of the office before the client does, and returns what the client gets."""
    answered = SupabaseCalls.__call__

    async def call(calls: SupabaseCalls, function: str, arguments: dict[str, Any]) -> Any:
        return meddle(function, await answered(calls, function, arguments))

    monkeypatch.setattr(SupabaseCalls, "__call__", call)


@pytest.mark.parametrize(
    "function", ["register_client", "claim_commands", "record_progress", "append_output", "complete_command"]
)
async def test_work_whose_answer_was_lost_is_done_once(
    function: str, office: Office, machine: MakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Any] = []
    ledger, go = tmp_path / "ledger", tmp_path / "go"

    def lose_the_first(called: str, answer: Any) -> Any:
        if called == function and not lost and answer != []:
            lost.append(answer)
            go.touch()
            raise BackendDown("the answer was lost")
        return answer

    on_the_way(monkeypatch, lose_the_first)
    script = f"echo typed >> {ledger}\nuntil [ -e {go} ]; do sleep 0.02; done\n{DONE}"
    waiting = await office.ask("send_prompt", {"role": "BE", "text": script})
    if function == "complete_command":
        go.touch()

    await (await machine()).start(lease_seconds=60)

    answer = await office.until(waiting)
    assert lost, f"{function} was never answered"
    assert (answer.status, answer.row["attempt"]) == ("completed", 1), answer
    assert ledger.read_text() == "typed\n"
    assert await office.sql("select attempt from agent_command_results where command_id = %s", waiting) == [
        {"attempt": 1}
    ]


async def test_a_command_that_only_a_newer_office_knows_is_answered_with_what_is_wrong(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_the_future(called: str, answer: Any) -> Any:
        if called == "claim_commands":
            for row in answer:
                if row["command_type"] == "release_session":
                    row["command_type"] = "dance"
        return answer

    on_the_way(monkeypatch, from_the_future)
    await (await machine()).start()
    session = await office.session()

    answer = await office.do("release_session", {}, session_id=session)

    assert (answer.status, answer.error_code) == ("failed", "invalid_payload"), answer
    assert 'does not know the command "dance"' in answer.error
    assert "upgrade" in answer.error
    again = await office.do("send_prompt", {"text": DONE}, session_id=session)
    assert again.status == "completed", again


HOSTILE: list[Any] = [
    None, "text", 7, [], {}, {"id": None}, {"id": "no uuid"}, "\x00", "ü" * 5000, -1, 1e300, True, {"deep": [[[[{}]]]]},
]  # fmt: skip


async def test_rows_that_a_hostile_or_a_newer_office_could_write_end_nobody(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each claim brings a row with one field, or all of it, replaced by what makes no sense."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201  it repeats the run
    chance = random.Random(seed)  # noqa: S311
    brought: list[Any] = []

    def spoil(row: dict[str, Any]) -> Any:
        spoilt = deepcopy(row) | {"id": str(uuid4())}
        for field in chance.sample(sorted(spoilt), chance.randint(1, 3)):
            spoilt[field] = chance.choice(HOSTILE)
        if chance.random() < 0.3:
            del spoilt[chance.choice(sorted(spoilt))]
        return chance.choice([spoilt, spoilt, spoilt, *HOSTILE[:4]])

    def meddle(called: str, answer: Any) -> Any:
        if called == "claim_commands" and answer:
            more = [spoil(answer[0]) for _ in range(8)]
            brought.extend(more)
            return [*more[:4], *answer, *more[4:]]
        if called == "heartbeat" or called == "register_client":
            answer["offices"] += [{}, None, {"office_id": 3, "new": "field"}]
        if called == "register_client":
            answer["sessions"] += [None, {"session_id": str(uuid4()), "status": "dreaming"}]
        return answer

    on_the_way(monkeypatch, meddle)
    await (await machine()).start()
    session = await office.session()
    for number in range(8):
        answer = await office.do("send_prompt", {"text": f"echo {number}\n{DONE}"}, session_id=session)
        assert answer.status == "completed", (answer, json.dumps(brought, default=str)[-4000:])
    assert len(brought) >= 8 * 9


async def test_a_copy_of_the_state_folder_of_a_client_that_runs_is_fenced_out(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    laptop = await machine()
    await laptop.start()
    session = await office.session()
    folder = tmp_path / "copy"
    shutil.copytree(laptop.folder, folder, ignore=shutil.ignore_patterns("*.sock", "host", "control"))
    copy = Machine(office, laptop.client_id, folder)

    with pytest.raises(Fenced, match="the folder is a copy"):
        await copy.start()

    answer = await office.do("send_prompt", {"text": DONE}, session_id=session)
    assert answer.status == "completed", "the one that runs does not notice"


async def test_a_zombie_that_wakes_up_after_its_lease_stops_and_is_not_believed(
    office: Office, machine: MakeMachine, tmp_path: Path
) -> None:
    laptop = await machine()
    await laptop.start_process()
    session = await office.session()
    ledger = tmp_path / "ledger"
    script = f"echo typed >> {ledger}\nsleep 600"
    asked = await office.ask("send_prompt", {"text": script}, session_id=session)
    await written(ledger)
    assert laptop.process is not None

    laptop.process.send_signal(signal.SIGSTOP)
    await office.sql("update agent_commands set lease_until = now() - interval '1 second' where id = %s", asked)
    assert (await office.sql("select rescue_commands() as rescued"))[0]["rescued"] == 1
    laptop.process.send_signal(signal.SIGCONT)

    await office.until_true("select 1 from session_events where command_id = %s and kind = 'lease_lost'", asked)
    assert (await office.command(asked)).status == "lost"
    assert ledger.read_text() == "typed\n"
    after = await office.do("send_prompt", {"text": DONE}, session_id=session)
    assert after.status == "completed", after


async def test_a_full_disk_stops_typing_and_nothing_else(office: Office, machine: MakeMachine, tmp_path: Path) -> None:
    """The client cannot write a byte; its terminals can."""
    laptop = await machine()
    await laptop.start_process(lease_seconds=60)
    session = await office.session()
    ledger, go = tmp_path / "ledger", tmp_path / "go"
    running = await office.ask(
        "send_prompt", {"text": f"until [ -e {go} ]; do sleep 0.02; done\n{DONE}"}, session_id=session
    )
    await office.until_true("select 1 from agent_sessions where id = %s and status = 'executing'", session)
    assert laptop.process is not None
    _, most = resource.prlimit(laptop.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(laptop.process.pid, resource.RLIMIT_FSIZE, (0, most))

    behind = await office.ask("send_text", {"text": f"echo typed >> {ledger}\n"}, session_id=session)
    given_back = await office.until_true(
        "select detail from session_events where command_id = %s and kind = 'given_back'", behind
    )
    go.touch()
    assert (await office.until(running)).status == "completed", "what was typed before is answered"
    assert "journal" in given_back[0]["detail"]["reason"]
    assert not ledger.exists()

    resource.prlimit(laptop.process.pid, resource.RLIMIT_FSIZE, (most, most))
    answer = await office.until(behind)
    assert answer.status == "completed", answer
    assert await written(ledger) == "typed\n"
