"""Pull requests by `gh`, GitHub's own command line, as the machine's owner has it signed in. One call, one answer.

Blocks: its callers run it in threads. Knows nothing of git.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.errors import Conflict, PolicyForbids, Unavailable

GH_SECONDS = 90.0
_NOT_SIGNED_IN = 4
_FIELDS = "number,url,state,headRefOid,statusCheckRollup,mergeStateStatus"
_GONE_WRONG = {"FAILURE", "ERROR", "CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STARTUP_FAILURE"}
_WELL = {"SUCCESS", "NEUTRAL", "SKIPPED"}

State = Literal["open", "merged", "closed"]
Checks = Literal["none", "pending", "passing", "failing"]
_STATES: dict[str, State] = {"OPEN": "open", "MERGED": "merged", "CLOSED": "closed"}


@dataclass(frozen=True)
class PullRequest:
    """As GitHub has it. `behind`: its base has moved on, and may not be merged into before it is caught up with."""

    number: int
    url: str
    state: State
    head: str
    checks: Checks
    behind: bool

    @classmethod
    def read(cls, told: dict[str, Any]) -> "PullRequest":
        checks = _summary(told.get("statusCheckRollup") or [])
        state = _STATES[told["state"]]
        return cls(
            told["number"], told["url"], state, told["headRefOid"], checks, told.get("mergeStateStatus") == "BEHIND"
        )


class Hub:
    """The pull requests of the repository in `folder`."""

    def __init__(self, program: Path, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._program = program
        self._folder = folder
        quiet = {"GH_PROMPT_DISABLED": "1", "NO_COLOR": "1", "GH_NO_UPDATE_NOTIFIER": "1"}
        self._environment = {**environment, **quiet}

    def of(self, branch: str, base: str) -> PullRequest | None:
        """The one that is open from a branch into a base, else the newest there was."""
        told = self._ask(
            "pr", "list", "--head", branch, "--base", base, "--state", "all", "--limit", "30", "--json", _FIELDS
        )
        found = [PullRequest.read(one) for one in told]
        return max(found, key=lambda one: (one.state == "open", one.number), default=None)

    def open(self, branch: str, base: str, title: str, body: str) -> None:
        self._run("pr", "create", "--head", branch, "--base", base, "--title", title, "--body", body)

    def label(self, number: int, label: str) -> str | None:
        """What is in the way of giving it a label, in gh's words; None when nothing was."""
        try:
            self._run("pr", "edit", str(number), "--add-label", label)
        except Unavailable as error:
            return error.detail
        return None

    def merge(self, number: int, method: str, head: str) -> None:
        """Merges it if `head` is what it holds; where GitHub queues merges, it may do so later."""
        self._run("pr", "merge", str(number), f"--{method}", "--match-head-commit", head)

    def _ask(self, *arguments: str) -> list[dict[str, Any]]:
        said = self._run(*arguments)
        try:
            return json.loads(said or "[]")
        except ValueError as error:
            raise Unavailable(f"gh {' '.join(arguments[:2])} answered something else than JSON") from error

    def _run(self, *arguments: str) -> str:
        """
        Raises:
            Unavailable: gh failed; its words.
            Conflict: nobody is signed in.
            PolicyForbids: there is no such program.
        """
        try:
            done = subprocess.run(
                [str(self._program), *arguments], cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=GH_SECONDS, check=False,
                start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"gh did not answer within {GH_SECONDS:.0f} s") from error
        except OSError as error:
            raise PolicyForbids(
                f"{self._program} cannot be run: {error.strerror}", advice="mend [pull_requests] gh in the policy"
            ) from error
        if done.returncode == _NOT_SIGNED_IN:
            raise Conflict("gh is not signed in on this machine", advice="gh auth login")
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}")[-1000:]
            raise Unavailable(f"gh {' '.join(arguments[:2])} failed: {words}")
        return done.stdout


def _summary(rollup: Sequence[dict[str, Any]]) -> Checks:
    if not rollup:
        return "none"
    words = [str(one.get("conclusion") or one.get("state") or one.get("status") or "").upper() for one in rollup]
    if any(word in _GONE_WRONG for word in words):
        return "failing"
    return "passing" if all(word in _WELL for word in words) else "pending"
