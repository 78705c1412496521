"""From a wish to a result, three ways: by REST, by `semo run`, and by a row inserted by hand."""

import json
import os
import signal
from pathlib import Path

import pytest
from postgrest.exceptions import APIError

from tests.support.processes import child_running, environment_of
from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")

DONE = "echo '[SEMO:DONE]'"


async def test_by_rest_a_session_is_made_works_says_done_and_ends(office: RunningOffice):
    async with office.api() as api:
        made = await api.post("sessions", json={"role": "BE", "task": "rest-flow"})
        assert made.status_code == 201, made.text
        session = made.json()
        assert Path(session["worktree_path"]).parts[-2:] == ("BE", "rest-flow")
        assert session["branch"] == "agent/BE-rest-flow"
        assert child_running(session["pid"])

        prompt = f"git branch --show-current\necho made > made.txt && git add . && git commit -qm Made\n{DONE}"
        answer = await api.post(f"sessions/{session['session_id']}/prompt", params={"wait": 30}, json={"text": prompt})
        assert answer.status_code == 200, answer.text
        turn = answer.json()["result"]
        assert (turn["outcome"], turn["marker"]) == ("done", True)
        assert {evidence["kind"] for evidence in turn["evidence"]} >= {"marker"}
        assert len(turn["commits"]) == 1

        assert "agent/BE-rest-flow" in await office.output(session["session_id"], turn)

        ended = await api.delete(f"sessions/{session['session_id']}")
        assert ended.json()["status"] == "terminated"
        assert not child_running(session["pid"])


async def test_the_agent_wears_its_persona_and_git_does_not_see_it(office: RunningOffice):
    async with office.api() as api:
        session = (await api.post("sessions", json={"role": "QA", "task": "persona"})).raise_for_status().json()
        worktree = Path(session["worktree_path"])
        assert "Quality Engineer" in (worktree / ".claude" / "CLAUDE.md").read_text()
        script = f"git add -A && git status --porcelain && echo status-is-clean\n{DONE}"
        answer = await api.post(f"sessions/{session['session_id']}/prompt", params={"wait": 30}, json={"text": script})
        turn = answer.json()["result"]
        output = await office.output(session["session_id"], turn)
        assert "status-is-clean" in output
        assert "CLAUDE.md" not in output
        await api.delete(f"sessions/{session['session_id']}")


async def test_semo_run_shows_the_work_and_exits_zero_only_when_it_is_done(office: RunningOffice):
    done = await semo("run", f"echo from-the-terminal\n{DONE}", "--role", "FE", "--data", str(office.data))
    assert done.exit_code == 0, done.err
    assert "from-the-terminal" in done.out
    assert "known by: " in done.out

    undone = await semo("run", "echo I think I am done", "--role", "FE", "--data", str(office.data))
    assert undone.exit_code == 1
    broken = await semo("run", "false", "--role", "FE", "--data", str(office.data), "--json")
    assert broken.exit_code == 1
    assert broken.last_line["error_code"] == "turn_error"


async def test_a_marker_that_stands_only_in_the_prompt_is_not_done(office: RunningOffice):
    said = await semo("run", "# [SEMO:DONE]\n: '\n[SEMO:DONE]\n'", "--role", "QA", "--data", str(office.data), "--json")
    assert said.exit_code == 1
    assert said.last_line["result"]["marker"] is False


async def test_a_row_inserted_by_hand_is_run_and_answered(office: RunningOffice):
    command_id = await office.insert("send_prompt", {"role": "be", "text": f"echo by-hand\n{DONE}"})
    command = await office.final(command_id)
    assert command["status"] == "completed"
    assert command["result"]["outcome"] == "done"
    results = await office.rows("agent_command_results", command_id=command_id)
    assert [(row["attempt"], row["success"]) for row in results] == [(1, True)]


@pytest.mark.parametrize(
    ("command_type", "payload", "complaint"),
    [
        ("send_prompt", {"role": "BE"}, '"text" is missing'),
        ("send_prompt", {"role": "BE", "text": "  "}, '"text" must not be empty'),
        ("send_prompt", {"role": "CEO", "text": "x"}, 'unknown role "CEO"'),
        ("send_prompt", {"text": "x"}, "needs a session_id"),
        ("create_session", {"role": "BE", "argv": ["rm"]}, 'unknown field "argv"'),
        ("get_output", {}, "needs a session_id"),
    ],
)
async def test_a_malformed_row_is_refused_with_what_is_wrong(
    office: RunningOffice, command_type: str, payload: dict[str, object], complaint: str
):
    with pytest.raises(APIError) as caught:
        await office.insert(command_type, payload)
    assert complaint in (caught.value.message or "")


async def test_what_is_inserted_while_the_client_is_down_runs_when_it_is_back(office: RunningOffice):
    [client] = await office.rows("remote_clients", id=office.status["client_ids"][0])
    os.kill(office.pid_of("remote_client"), signal.SIGKILL)
    command_id = await office.insert("send_prompt", {"role": "BE", "text": DONE})
    command = await office.final(command_id)
    assert command["status"] == "completed"
    [returned] = await office.rows("remote_clients", id=client["id"])
    assert returned["epoch"] == client["epoch"] + 1


async def test_control_commands_do_not_wait_behind_a_running_prompt(office: RunningOffice):
    async with office.api() as api:
        session = (await api.post("sessions", json={"role": "BE", "task": "control"})).raise_for_status().json()
        path = f"sessions/{session['session_id']}"
        stored = (await api.post(f"{path}/prompt", json={"text": "echo begun; cat"})).json()
        output = ""
        while "begun" not in output.split("cat", 1)[-1]:
            output = (await api.get(f"{path}/output", params={"after": 0, "wait": 5})).json()["output"]
        assert (await api.post(f"{path}/cancel")).status_code == 200
        command = await office.final(stored["command_id"])
        assert command["result"]["outcome"] == "interrupted"
        await api.delete(path)


async def test_no_secret_stands_in_a_log_a_command_line_or_an_agents_environment(office: RunningOffice):
    secrets = [office.status[name] for name in ("service_role_key", "jwt_secret", "api_token")]
    password = json.loads((office.data / "client" / "credentials.json").read_text())["password"]
    async with office.api() as api:
        session = (await api.post("sessions", json={"role": "BE", "task": "secrets"})).raise_for_status().json()
        agent_environment = environment_of(session["pid"])
        await api.delete(f"sessions/{session['session_id']}")
    for secret in [*secrets, password]:
        assert secret not in agent_environment
        assert not [log.name for log in office.data.glob("*.log") if secret in log.read_text(errors="replace")]
        assert not [line for line in office.command_lines() if secret in line]
