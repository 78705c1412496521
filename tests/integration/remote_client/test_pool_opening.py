"""Sessions that cannot be made: tries, circuits, and who takes the work instead."""

import json
from pathlib import Path

import pytest

from remote_client import pool_circuits, pool_opening
from tests.integration.remote_client.office import Machine, MakeMachine, Office
from tests.integration.remote_client.pools import DONE, until_it_waits_because

pytestmark = pytest.mark.usefixtures("quick_pools")


def write_policy(machine: Machine, repository: Path, program: Path | None = None, limits: str = "") -> None:
    command = f"command = [{json.dumps(str(program))}]\n" if program else ""
    (machine.folder / "policy.toml").write_text(
        f"allowed_roots = [{json.dumps(str(repository.parent))}]\n"
        'default_agent = "shell"\n'
        f"[[repositories]]\npath = {json.dumps(str(repository))}\n"
        f"[agents.shell]\n{command}"
        f"[limits]\n{limits}\n"
    )


class Fragile:
    """A bash that refuses to start while the file `broken` is there, and counts its starts."""

    def __init__(self, folder: Path) -> None:
        self.broken, self.starts, self.program = folder / "broken", folder / "starts", folder / "fragile"
        self.program.write_text(
            f'#!/bin/sh\ncase "$*" in *--version*) exec bash "$@";; esac\necho >> {self.starts}\n'
            f'[ -e {self.broken} ] && {{ echo "no luck today"; exit 3; }}\nexec bash "$@"\n'
        )
        self.program.chmod(0o755)

    @property
    def times_started(self) -> int:
        return len(self.starts.read_text()) if self.starts.exists() else 0


@pytest.fixture
def fragile(tmp_path: Path) -> Fragile:
    return Fragile(tmp_path)


async def test_a_session_that_cannot_be_made_is_tried_three_times_and_then_the_command_fails(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile
) -> None:
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    await laptop.start()

    answer = await office.do("send_prompt", {"role": "BE", "text": DONE})

    assert (answer.status, answer.error_code) == ("failed", "session_failed"), answer
    assert fragile.times_started == 3
    assert answer.row["typed_at"] is None


async def test_a_session_that_can_be_made_at_the_second_try_serves_its_command(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_opening, "PAUSES_SECONDS", (1.0, 1.0))
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    await laptop.start()

    asked = await office.ask("send_prompt", {"role": "BE", "text": DONE})
    await office.until_true(
        "select 1 from agent_sessions where office_id = %s and ended_at is not null", office.office_id
    )
    fragile.broken.unlink()

    assert (await office.until(asked)).status == "completed"
    assert fragile.times_started == 2


async def test_a_role_whose_sessions_cannot_be_made_holds_up_its_commands_until_one_trial_succeeds(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_circuits, "OPEN_SECONDS", 1)
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    await laptop.start()
    assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "failed"

    waits = await office.ask("send_prompt", {"role": "BE", "text": DONE})
    await until_it_waits_because(office, waits, "circuit_open")
    [circuit] = await office.sql("select * from role_circuits where office_id = %s", office.office_id)
    assert (circuit["role"], circuit["failures"] >= 3, circuit["error_code"]) == ("BE", True, "session_failed")
    await office.until_true("select 1 from role_circuits where office_id = %s and failures >= 4", office.office_id)
    assert (await office.command(waits)).row["attempt"] == 1, "no command is spent on a trial"
    fragile.broken.unlink()

    answer = await office.until(waits)
    assert answer.status == "completed", answer
    assert await office.sql("select * from role_circuits where office_id = %s", office.office_id) == []


async def test_what_one_machine_cannot_make_another_one_takes(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile
) -> None:
    broken = await machine("broken")
    write_policy(broken, repository, fragile.program)
    fragile.broken.touch()
    await broken.start()
    assert (await office.do("send_prompt", {"role": "BE", "text": DONE})).status == "failed"
    asked = [await office.ask("send_prompt", {"role": "BE", "text": DONE}) for _ in range(3)]
    await until_it_waits_because(office, asked[0], "circuit_open")

    whole = await (await machine("whole")).start()

    for command_id in asked:
        answer = await office.until(command_id)
        assert (answer.status, answer.row["claimed_by"]) == ("completed", whole.client_id), answer


async def test_commands_that_were_claimed_before_the_circuit_opened_are_given_back_and_not_failed(
    office: Office, machine: MakeMachine, repository: Path, fragile: Fragile
) -> None:
    laptop = await machine()
    write_policy(laptop, repository, fragile.program)
    fragile.broken.touch()
    asked = [await office.ask("send_prompt", {"role": "BE", "text": DONE}) for _ in range(5)]
    await laptop.start()

    [seen] = await office.until_true(
        "select json_agg(json_build_object('status', status, 'attempt', attempt)) as commands"
        " from agent_commands where id = any(%s) having count(*) filter (where status = 'pending' and attempt = 2"
        " and command_waiting_reason(id)->>'reason' = 'circuit_open') >= 3"
        " and count(*) filter (where status = 'processing') = 0", asked,
    )  # fmt: skip
    failed = [one for one in seen["commands"] if one["status"] != "pending"]
    assert all(one == {"status": "failed", "attempt": 1} for one in failed), "tried three times"
    fragile.broken.unlink()
