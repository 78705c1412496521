"""The policy file: what it says, what it forbids, and how it complains."""

from pathlib import Path
from uuid import uuid4

import pytest

from remote_client.policy import Policy, load_policy, parse_policy
from shared.errors import InvalidPayload, PolicyForbids
from shared.ids import OfficeId

OFFICE = OfficeId(uuid4())


def policy(text: str) -> Policy:
    return parse_policy(text, "policy.toml")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("allowed_roots = [}", "line 1"),
        ("", "allowed_roots: Field required"),
        ("allowed_roots = []", "allowed_roots: List should have at least 1 item"),
        ('allowed_roots = ["src"]', "allowed_roots[0]: Value error, must be an absolute path"),
        ('allowed_roots = ["/src"]\nroots = 1', "line 2: roots: there is no such setting"),
        ('allowed_roots = ["/src"]\n[limits]\nmax_sessions = 0', "line 3: limits.max_sessions: "),
        ('allowed_roots = ["/src"]\ndefault_agent = "shell"', "line 2: default_agent: there is no [agents.shell]"),
        ('allowed_roots = ["/src"]\n[[repositories]]\noffice = "a"', "line 2: repositories[0].path: Field required"),
        ('allowed_roots = ["/src"]\n[agents."a.b"]\n\nenabld = true', "line 4: agents.a.b.enabld: there is no such"),
        ('allowed_roots = ["/src"]\nlimits = { run_time_s = 0 }', "line 2: limits.run_time_s: "),
        ('allowed_roots = ["/src"]\nredaction.patterns = [\n  "[a-z]+",\n]', "line 2: redaction.patterns[0]: "),
        (
            'allowed_roots = [\n  "/src",\n]\n[[repositories]]\npath = "/src/a"\n[[repositories]]\npath = "b"',
            "line 7: repositories[1].path: ",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_line_or_field(text: str, complaint: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        policy(text)

    assert complaint in refused.value.detail
    assert "policy.toml" in refused.value.detail


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPayload, match="there is no policy file"):
        load_policy(tmp_path / "policy.toml")


def test_a_path_outside_the_roots_is_forbidden_and_the_rule_named(tmp_path: Path) -> None:
    rules = policy(f'allowed_roots = ["{tmp_path}/in"]')

    with pytest.raises(PolicyForbids, match="allowed_roots"):
        rules.require_allowed(tmp_path / "out")


def test_a_link_inside_the_roots_that_leads_outside_is_forbidden(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    rules = policy(f'allowed_roots = ["{tmp_path}/in"]')

    with pytest.raises(PolicyForbids):
        rules.require_allowed(tmp_path / "in" / "link" / "secret")


def test_dots_do_not_lead_out_of_a_root(tmp_path: Path) -> None:
    rules = policy(f'allowed_roots = ["{tmp_path}/in"]')

    with pytest.raises(PolicyForbids):
        rules.require_allowed(tmp_path / "in" / ".." / "inner")


def test_an_office_gets_the_repository_that_names_it_before_the_common_one() -> None:
    rules = policy(
        'allowed_roots = ["/src"]\n[[repositories]]\npath = "/src/common"\n'
        '[[repositories]]\noffice = "web"\npath = "/src/web"\n'
        f'[[repositories]]\noffice = "{OFFICE}"\npath = "/src/id"\n'
    )

    assert rules.repository_for(OfficeId(uuid4()), "web").path == Path("/src/web")
    assert rules.repository_for(OFFICE, "any").path == Path("/src/id")
    assert rules.repository_for(OfficeId(uuid4()), "other").path == Path("/src/common")
    assert rules.repository_for(OfficeId(uuid4()), "other").worktrees == Path("/src/common-worktrees")


def test_an_agent_that_is_not_allowed_is_forbidden_by_name() -> None:
    rules = policy(
        'allowed_roots = ["/src"]\ndefault_agent = "shell"\n[agents.shell]\n[agents.claude]\nenabled = false'
    )

    assert rules.agent_named(None)[0] == "shell"
    for name in ("claude", "codex"):
        with pytest.raises(PolicyForbids, match=rf"\[agents.{name}\]"):
            rules.agent_named(name)


def test_agents_get_only_the_environment_that_is_named() -> None:
    rules = policy('allowed_roots = ["/src"]\nenvironment = ["GOPATH"]')

    ambient = {"PATH": "/bin", "GOPATH": "/go", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "SUPABASE_KEY": "y"}
    assert rules.environment_for_agents(ambient) == {"PATH": "/bin", "GOPATH": "/go", "LC_ALL": "C"}


def test_nothing_leaves_the_machine_and_no_check_is_known_unless_the_policy_says_so() -> None:
    rules = policy('allowed_roots = ["/src"]\n[[repositories]]\npath = "/src/web"\n')

    assert (rules.checks, rules.pull_requests.push, rules.pull_requests.merge, rules.pull_requests.gh) == (
        {}, False, False, None,
    )  # fmt: skip
    assert rules.repositories[0].checks_from_base is False


def test_variables_of_gh_are_handed_on_and_not_given_to_agents() -> None:
    rules = policy('allowed_roots = ["/src"]\n[pull_requests]\nenvironment = ["GH_TOKEN"]\n')

    assert "GH_TOKEN" in rules.variables
    assert rules.environment_for_agents({"PATH": "/bin", "GH_TOKEN": "x"}) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "text", ['[checks.test]\nrun = "make test"', "[checks.test]\nrun = []", '[checks."a b"]\nrun = ["x"]',
             "[checks.test]", '[pull_requests]\nremote = "--upload-pack=x"', '[pull_requests]\ngh = "gh"'],
)  # fmt: skip
def test_rules_of_checks_and_pull_requests_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidPayload, match=r"checks|pull_requests"):
        policy(f'allowed_roots = ["/src"]\n{text}\n')
