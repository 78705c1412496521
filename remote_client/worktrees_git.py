"""Runs git for the worktrees: no hook, no question at a terminal, no daemon that stays; its own words when it fails."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import git
from git.exc import GitCommandError

from shared.errors import SessionFailed

# Hooks may not know of worktrees; a daemon would keep the locks that are handed on to git.
_QUIET = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false",
    "rebase.updateRefs=false", "rebase.autoStash=false", "rebase.rebaseMerges=false",
)  # fmt: skip
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_EDITOR": "true"}


@dataclass(frozen=True)
class Git:
    """Git in one folder. `holding`: a lock that git keeps too, and that lasts until git has ended, even without us.

    `environment`: variables for git besides ours.
    """

    folder: Path
    holding: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def at(self, folder: Path) -> "Git":
        return replace(self, folder=folder)

    def __call__(self, *arguments: str, seconds: float | None = None) -> str:
        """What git prints, without the last newline.

        Raises:
            SessionFailed: git failed, or was killed after `seconds`.
        """
        try:
            return self._run(arguments, seconds)
        except GitCommandError as error:
            raise SessionFailed(f"git {arguments[0]} failed in {self.folder}: {_words_of(error)}") from error

    def says_yes(self, *arguments: str) -> bool:
        """Whether git ends with 0. What cannot be answered is a no."""
        try:
            self._run(arguments, None)
        except GitCommandError:
            return False
        return True

    def find(self, *arguments: str) -> str | None:
        """What git prints; None when it ends with 1, its way to say that there is nothing.

        Raises:
            SessionFailed: git failed.
        """
        try:
            return self._run(arguments, None)
        except GitCommandError as error:
            if error.status == 1:
                return None
            raise SessionFailed(f"git {arguments[0]} failed in {self.folder}: {_words_of(error)}") from error

    def either_way(self, *arguments: str) -> str:
        """What git prints when it ends with 0 or 1; by the latter, `merge-tree` says that something conflicts.

        Raises:
            SessionFailed: git failed.
        """
        status, said, complaint = self._plainly(arguments, None)
        if status not in (0, 1):
            raise SessionFailed(f"git {arguments[0]} failed in {self.folder}: {complaint.decode(errors='replace')}")
        return said.decode(errors="surrogateescape")

    def fed(self, text: str, *arguments: str) -> str:
        """What git prints when it reads `text` from its stdin.

        Raises:
            SessionFailed: git failed.
        """
        with tempfile.TemporaryFile() as file:
            file.write(text.encode(errors="surrogateescape"))
            file.seek(0)
            status, said, complaint = self._plainly(arguments, file)
        if status:
            raise SessionFailed(f"git {arguments[0]} failed in {self.folder}: {complaint.decode(errors='replace')}")
        return said.decode().rstrip("\n")

    def text_of(self, blob: str) -> str | None:
        """What is in a blob; None when it is not UTF-8, or holds NUL."""
        status, said, _ = self._plainly(("cat-file", "blob", blob), None)
        try:
            text = said.decode()
        except UnicodeDecodeError:
            return None
        return None if status or "\0" in text else text

    def begins(self, *arguments: str, most_bytes: int) -> tuple[bytes, bool]:
        """The first bytes that git prints, and whether there were more. What it says on failure is left out.

        Raises:
            SessionFailed: git failed.
        """
        with subprocess.Popen(
            self._command(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, env=self._whole_environment(),
        ) as process:  # fmt: skip
            assert process.stdout is not None  # noqa: S101  it is piped
            said = process.stdout.read(most_bytes + 1)
            if len(said) > most_bytes:
                process.kill()
                return said[:most_bytes], True
        if process.returncode:
            raise SessionFailed(f"git {arguments[0]} failed in {self.folder}: status {process.returncode}")
        return said, False

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        settings = [word for setting in _QUIET for word in ("-c", setting)]
        return ["git", "-C", str(self.folder), *settings, *arguments]

    def _whole_environment(self) -> dict[str, str]:
        return {**os.environ, "LANGUAGE": "C", "LC_ALL": "C", **_ENVIRONMENT, **self.environment}

    def _plainly(self, arguments: tuple[str, ...], stdin: IO[bytes] | None) -> tuple[int, bytes, bytes]:
        """How git ended, and all that it wrote to stdout and to stderr."""
        done = subprocess.run(
            self._command(arguments), stdin=stdin or subprocess.DEVNULL, capture_output=True, check=False,
            start_new_session=True, env=self._whole_environment(),
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def commit(self, name: str) -> str | None:
        """The id of the commit that a name stands for."""
        return self.find("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def names(self, *arguments: str) -> list[str]:
        """The file names that git prints when told `-z`."""
        return [name for name in self(*arguments).split("\0") if name]

    def _run(self, arguments: tuple[str, ...], seconds: float | None) -> str:
        command = self._command(arguments)
        environment = {**_ENVIRONMENT, **self.environment}
        if self.holding is None:
            # Without a terminal of its own, ssh fails instead of asking.
            return git.Git().execute(command, env=environment, kill_after_timeout=seconds, start_new_session=True)
        return git.Git().execute(command, env=environment, kill_after_timeout=seconds, pass_fds=(self.holding,))


def _words_of(error: GitCommandError) -> str:
    said = str(error.stderr or error.stdout or "").strip()
    return said.removeprefix("stderr: ").removeprefix("stdout: ").strip("'\n ") or f"status {error.status}"
