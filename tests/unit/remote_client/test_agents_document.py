"""docs/agents.md says of each agent what its adapter says of itself, and names the versions that the tests drive."""

import json
from pathlib import Path

import pytest

from remote_client.agents.adapter import Abilities
from remote_client.agents.claude import ClaudeAdapter
from remote_client.agents.further_agents import FURTHER_AGENTS
from remote_client.agents.shell import ShellAdapter
from remote_client.pool_memory import EXPECTED_MB

ROOT = Path(__file__).parents[3]
ABILITIES = {
    "claude": ClaudeAdapter.abilities,
    "shell": ShellAdapter.abilities,
    **{name: kind.abilities for name, kind in FURTHER_AGENTS.items()},
}
PACKAGES = {"claude": "@anthropic-ai/claude-code", "codex": "@openai/codex", "gemini": "@google/gemini-cli"}


def table() -> dict[str, dict[str, str]]:
    """What the first table says, by agent and property."""
    lines = (ROOT / "docs" / "agents.md").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| |"))
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[first:]]
    rows = rows[: next(number for number, row in enumerate(rows) if row == [""])]
    return {name: {row[0]: row[place] for row in rows[2:]} for place, name in enumerate(rows[0]) if name}


@pytest.mark.parametrize(("agent", "abilities"), ABILITIES.items(), ids=ABILITIES.keys())
def test_what_can_be_relied_on_is_written_down(agent: str, abilities: Abilities):
    said = table()[agent]
    for option in ("model", "mcp", "resume"):
        heading = "MCP" if option == "mcp" else option.capitalize()
        assert said[heading].startswith("yes" if option in abilities.options else "no"), heading
    assert ("answered from outside" in said["Permission requests"]) is abilities.asks_permission
    assert said["Cost and usage"].startswith("yes") is abilities.reports_cost
    if agent != "shell":  # which marks what it takes, and has no hooks
        assert said["Prompt confirmed"].startswith("yes") is abilities.confirms_prompts
    assert said["Memory"] == f"{EXPECTED_MB[agent]} MB"


def test_the_versions_are_those_that_the_tests_drive():
    pinned = json.loads((ROOT / "tests" / "tools" / "package.json").read_text())["dependencies"]
    assert {name: table()[name]["Version tried"] for name in PACKAGES} == {
        name: pinned[package] for name, package in PACKAGES.items()
    }
