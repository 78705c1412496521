"""How agents are started: never more boldly than the policy says, and with nothing that the office could slip in."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from remote_client.agents.adapter import Wish
from remote_client.agents.further_agents import AIDER, CODEX, FURTHER_AGENTS, GEMINI, OPENCODE
from remote_client.agents.screen_agent import ScreenAdapter, ScreenAgent
from remote_client.policy import AgentRule
from shared.errors import InvalidPayload, PolicyForbids
from shared.ids import SessionId


@pytest.mark.parametrize("kind", FURTHER_AGENTS.values(), ids=lambda kind: kind.name)
def test_no_agent_is_started_without_asking_unless_the_policy_says_so(kind: ScreenAgent, tmp_path: Path):
    def started(mode: str) -> str:
        adapter = ScreenAdapter(kind, kind.name, AgentRule.model_validate({"permission_mode": mode}))
        launch = adapter.launch(_wish(tmp_path))
        return f"{launch.command} {launch.environment}"

    bold = ("yolo", "--dangerously", "--yes-always", '"bash": "allow"', "danger-full-access", "never")
    assert not any(word in started("default") for word in bold)
    assert any(word in started("bypassPermissions") for word in bold)


def test_a_mode_that_an_agent_does_not_have_is_refused_at_the_start():
    with pytest.raises(InvalidPayload, match='codex has no mode "acceptEdits"'):
        ScreenAdapter(CODEX, "codex", AgentRule(permission_mode="acceptEdits"))


def test_what_the_office_asks_for_is_never_an_option_of_its_own(tmp_path: Path):
    wish = _wish(tmp_path, model="--yolo", resume="--dangerously-bypass-approvals-and-sandbox")
    for kind in (CODEX, GEMINI, OPENCODE):
        command = list(ScreenAdapter(kind, kind.name, AgentRule()).launch(wish).command)
        assert "--yolo" not in command
        if wish.resume in command:
            assert command[command.index(wish.resume) - 1] == "--"
    with pytest.raises(PolicyForbids, match='does not allow the model "--yolo"'):
        ScreenAdapter(CODEX, "codex", AgentRule(models=["gpt"])).launch(wish)


def test_opencode_runs_what_a_repository_configures_only_where_it_is_trusted(tmp_path: Path):
    for trusted in (False, True):
        rule = AgentRule(trust_worktrees=trusted)
        environment = ScreenAdapter(OPENCODE, "opencode", rule).launch(_wish(tmp_path)).environment
        assert ("OPENCODE_DISABLE_PROJECT_CONFIG" in environment) is not trusted
        instructions = json.loads(environment["OPENCODE_CONFIG_CONTENT"])["instructions"]
        assert instructions == [str(tmp_path / "AGENTS.md"), str(tmp_path / ".claude" / "CLAUDE.md")]


def test_aider_is_not_started_with_settings_of_a_repository_that_is_not_trusted(tmp_path: Path):
    (tmp_path / ".aider.conf.yml").write_text("yes-always: true\n")
    with pytest.raises(PolicyForbids, match=r"\.aider\.conf\.yml of the repository"):
        ScreenAdapter(AIDER, "aider", AgentRule()).launch(_wish(tmp_path))
    ScreenAdapter(AIDER, "aider", AgentRule(trust_worktrees=True)).launch(_wish(tmp_path))


def _wish(folder: Path, **options: str) -> Wish:
    return Wish(SessionId(uuid4()), folder, folder, **options)
