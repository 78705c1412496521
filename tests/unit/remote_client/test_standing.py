"""What a machine tells its office of itself is for people: names and numbers, and nothing that helps anybody in."""

from pathlib import Path
from uuid import uuid4

import pytest

from remote_client.policy import parse_policy
from remote_client.standing import policy_in_words, repository_in_words
from shared.ids import OfficeId

POLICY = """
allowed_roots = ["{home}/src"]
default_agent = "claude"
environment = ["GOPATH"]

[[repositories]]
office = "acme/web"
path = "{home}/src/web"
base = "main"

[agents.claude]
command = ["/opt/secret-place/claude", "--token", "hush"]
environment = ["ANTHROPIC_API_KEY"]
permission_mode = "acceptEdits"
models = ["sonnet"]
mcp = {{ browser = "{home}/mcp/browser.json" }}

[agents.shell]
enabled = false

[checks.tidy]
run = ["make", "tidy"]
"""


def test_a_policy_is_told_by_names_and_numbers_without_command_lines_values_and_files():
    told = policy_in_words(parse_policy(POLICY.format(home=Path.home()), "policy.toml"))
    assert told["allowed_roots"] == ["~/src"]
    assert told["agents"]["claude"]["mcp"] == ["browser"]
    assert told["agents"]["claude"]["permission_mode"] == "acceptEdits"
    assert told["environment"] == ["ANTHROPIC_API_KEY", "GOPATH"]
    assert told["checks"] == ["tidy"]
    assert "shell" not in told["agents"]
    for hidden in ("hush", "secret-place", "make", "browser.json", str(Path.home())):
        assert hidden not in str(told)


def test_each_office_is_told_of_its_own_repository_alone_and_whether_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    policy = parse_policy(POLICY.format(home=tmp_path), "policy.toml")
    office = OfficeId(uuid4())
    web = {"name": "web", "path": "~/src/web", "base": "main"}
    assert repository_in_words(policy, office, "acme/web") == web | {"missing": True}
    (tmp_path / "src" / "web").mkdir(parents=True)
    assert repository_in_words(policy, office, "acme/web") == web
    assert repository_in_words(policy, office, "other") is None
