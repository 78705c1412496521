"""The whole flow by inserted rows: session, prompt, output, end."""

from pathlib import Path

from tests.integration.remote_client.office import MakeMachine, Office


async def test_a_session_is_made_takes_a_prompt_and_ends(office: Office, machine: MakeMachine) -> None:
    await (await machine()).start()

    created = await office.do("create_session", {"role": "BE", "task": "greeting"})
    assert created.status == "completed", created
    session_id = created.result["session_id"]
    assert created.result["branch"] == "agent/BE-greeting"
    assert created.result["status"] == "ready"
    assert "You are Backend Engineer." in (Path(created.result["worktree_path"]) / ".claude/CLAUDE.md").read_text()

    prompt = "echo hello > hello.txt\ngit add -A\ngit commit -qm hello\necho '[SEMO:DONE]'"
    turn = await office.do("send_prompt", {"text": prompt}, session_id=session_id)
    assert turn.status == "completed", turn
    assert turn.result["outcome"] == "done"
    assert turn.result["marker"] is True
    assert len(turn.result["commits"]) == 1
    assert [one["kind"] for one in turn.result["evidence"]] == ["marker", "prompt", "git", "scope"]
    assert turn.result["evidence"][-1]["outside"] == ["hello.txt"]
    assert turn.row["claimed_at"] <= turn.row["typed_at"] <= turn.row["finished_at"]

    turns = await office.sql("select * from session_turns where session_id = %s", session_id)
    assert [(one["outcome"], one["marker"]) for one in turns] == [("done", True)]
    sessions = await office.sql("select status, output_bytes from agent_sessions where id = %s", session_id)
    assert sessions[0]["status"] == "ready"

    seen = await office.do("get_output", {"after": turn.result["output_start"]}, session_id=session_id)
    assert "[SEMO:DONE]" in seen.result["output"]
    assert seen.result["next"] >= turn.result["output_end"]

    ended = await office.do("terminate", session_id=session_id)
    assert ended.result == {"status": "terminated"}
    rows = await office.sql("select status, end_reason from agent_sessions where id = %s", session_id)
    assert rows == [{"status": "terminated", "end_reason": "terminated"}]
