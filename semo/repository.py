"""The repository that a machine lends to its own office, and the policy file that says so."""

import asyncio
import json
import os
from pathlib import Path

import git

from remote_client.policy import Policy, load_policy
from semo.problems import Exit, SemoError
from shared.errors import OfficeError

_CLAUDE = """
[agents.claude]
permission_mode = "default"
trust_worktrees = true
environment = [
  "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "CLAUDE_CODE_OAUTH_TOKEN",
  "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_TELEMETRY", "HTTPS_PROXY", "NO_PROXY",
]
"""

_README = """# Demo project

A repository for agents to work in. Each gets a worktree and a branch of its own.
"""


async def ensure_repository(path: Path) -> Path:
    """Returns `path` as a repository with at least one commit, making a small one where nothing is.

    Raises:
        SemoError: something that is no repository is there, or it has no commit.
    """
    return await asyncio.to_thread(_ensure, path.absolute())


def _ensure(path: Path) -> Path:
    if not path.exists():
        repository = git.Repo.init(path, initial_branch="main")
        with repository.config_writer() as config:
            config.set_value("user", "name", "SEMO demo")
            config.set_value("user", "email", "demo@semo.invalid")
        (path / "README.md").write_text(_README)
        repository.git.add("README.md")
        repository.git.commit("--quiet", "--message", "A place to begin")
        return path
    try:
        repository = git.Repo(path, search_parent_directories=True)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise SemoError(f"{path} is not a git repository", do=f"git init {path}, or name another with --repo",
                        exit_code=Exit.USAGE) from error  # fmt: skip
    with repository:
        if not repository.head.is_valid():
            raise SemoError(f"{path} has no commit yet, so there is nothing to branch from",
                            do="make a first commit there", exit_code=Exit.USAGE)  # fmt: skip
        return Path(repository.working_dir)


def require_lent(policy: Path, repository: Path) -> None:
    """Checks that the policy of a client, if it has one already, lends that repository.

    Raises:
        SemoError: it does not, or cannot be understood. It is its owner's, so nothing is changed in it.
    """
    if not policy.exists():
        return
    lent = [entry.path for entry in _read(policy).repositories]
    if repository.resolve() not in lent:
        raise SemoError(
            f"the policy of this office's client does not lend {repository}",
            kept="nothing was started",
            do=f"name it in {policy} (docs/policy.md), or begin a new office with --data",
            exit_code=Exit.USAGE,
        )


def named_variables(policy: Path) -> dict[str, str]:
    """What the client must get of our environment, so that its agents get what its policy names for them.

    Raises:
        SemoError: the policy cannot be understood.
    """
    return {name: os.environ[name] for name in _read(policy).variables if name in os.environ}


def _read(policy: Path) -> Policy:
    try:
        return load_policy(policy)
    except OfficeError as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.USAGE) from error


def write_policy(policy: Path, repository: Path, office: str, agent: str) -> None:
    """Writes the policy of a client that `semo up` or `semo demo` made, unless its owner has one already.

    It allows the `shell` agent, which runs whatever it is told: only a machine's own policy may do that.
    """
    if policy.exists():
        return
    workspace = repository.parent / f"{repository.name}-worktrees"
    roots = [str(repository), str(workspace)]
    policy.write_text(
        "# What may run on this machine, and where. Written once by `semo up`; yours to change (docs/policy.md).\n"
        f"allowed_roots = {json.dumps(roots)}\n"
        f"default_agent = {json.dumps(agent)}\n\n"
        "[[repositories]]\n"
        f"office = {json.dumps(office)}\n"
        f"path = {json.dumps(str(repository))}\n"
        f"workspace = {json.dumps(str(workspace))}\n"
        "checks_from_base = true  # the shell below runs anything, and so may .semo/checks.toml on the base\n\n"
        "[agents.shell]\n"
        "enabled = true\n" + (_CLAUDE if agent == "claude" else "")
    )
    policy.chmod(0o600)
