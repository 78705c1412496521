"""The policy of a machine at work: secrets stay there, refusals name their rule, and a new version holds at once."""

from pathlib import Path

import pytest

from remote_client import policy_watch
from tests.integration.remote_client.office import MakeMachine, Office

DONE = "echo '[SEMO:DONE]'"
TOKEN = "a1B2c3D4e5" * 4


async def test_secrets_leave_the_machine_as_stars(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "hunter2-is-no-password")
    one = await machine()
    policy = one.folder / "policy.toml"
    policy.write_text('environment = ["MY_SERVICE_TOKEN"]\n' + policy.read_text())
    await one.start()
    session_id = await office.session()
    # In pieces, and slowly: each piece comes by itself.
    script = f"printf 'gh'; sleep 0.3; printf 'p_{TOKEN[:9]}'; sleep 0.3; echo '{TOKEN[9:]}'; echo $MY_SERVICE_TOKEN"

    answer = await office.do("send_prompt", {"text": f"{script}\n{DONE}"}, session_id=session_id)

    assert answer.status == "completed", answer
    shown = await office.output_of(session_id)
    assert f"ghp_{'*' * 40}\r\n{'*' * 22}" in shown
    looked_at = await office.do("get_output", {"after": answer.result["output_start"] + 3}, session_id=session_id)
    assert "*" * 40 in looked_at.result["output"]
    for text in (shown, looked_at.result["output"]):
        assert TOKEN not in text
        assert "hunter2" not in text
    assert len(shown.encode()) >= answer.result["output_end"], "every byte counts"


async def test_a_new_policy_holds_at_once_and_a_wrong_one_changes_nothing(
    office: Office, machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_watch, "LOOK_SECONDS", 0.05)
    one = await machine()
    policy = one.folder / "policy.toml"
    begun = policy.read_text()
    await one.start()
    session_id = await office.session()

    async def change(text: str, kind: str, says: str) -> None:
        _replace(policy, text)
        await office.until_true(
            "select 1 from session_events where office_id = %s and kind = %s and detail::text like %s",
            office.office_id, kind, f"%{says}%",
        )  # fmt: skip

    await change(begun + "prompt_max_bytes = 40\n", "policy_changed", "limits")
    refused = await office.do("send_prompt", {"text": f"{DONE} #{'x' * 40}"}, session_id=session_id)
    assert refused.error_code == "policy_forbids", refused
    assert "(limits.prompt_max_bytes)" in refused.error

    await change(
        begun + "prompt_maxbytes = 10\n", "policy_refused", f"line {begun.count(chr(10)) + 1}: limits.prompt_maxbytes"
    )
    assert (await office.do("send_prompt", {"text": DONE}, session_id=session_id)).status == "completed"

    await change(begun.replace("enabled = true", "enabled = false"), "policy_changed", "agents")
    refused = await office.do("send_prompt", {"text": DONE}, session_id=session_id)
    assert "[agents.shell]" in refused.error, refused
    refused = await office.do("send_text", {"text": "ls"}, session_id=session_id)
    assert refused.error_code == "policy_forbids", refused
    await office.until_true(
        "select 1 from remote_clients where id = %s and not capabilities -> 'agents' ? 'shell'", one.client_id
    )

    _replace(policy, begun)
    await office.until_true(
        "select 1 from remote_clients where id = %s and capabilities -> 'agents' ? 'shell'", one.client_id
    )
    assert (await office.do("send_prompt", {"text": DONE}, session_id=session_id)).status == "completed"
    [session] = await office.sql("select ended_at from agent_sessions where id = %s", session_id)
    assert session["ended_at"] is None


def _replace(path: Path, text: str) -> None:
    """As editors do: the file is another one, whole from the first moment."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)
