"""Who may work in a repository, and what is being done in it: kept in its own git folder, where every client looks.

The system lets a lock go when its last holder has died. A note outlives its writer and says what was left half done.
"""

import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from shared.errors import PolicyForbids, SessionFailed

LONGEST_WAIT_SECONDS = 120.0
_LOOK_SECONDS = 0.02

Step = Literal["made", "making", "attaching", "freshening", "moving", "removing"]


@dataclass(frozen=True)
class Note:
    """What a worktree starts from, and the step that was begun and not ended yet. `target`: the commit it leads to."""

    base: str
    step: Step = "made"
    target: str = ""


class RepositoryLocks:
    """Of one repository. Everything of ours in its git folder is in `folder`."""

    def __init__(self, common_folder: Path) -> None:
        self.folder = common_folder / "semo-office"

    def take(self, branch: str, patience_seconds: float = 0.0) -> int | None:
        """An open file that is the right to a branch and to its worktree; None when somebody else keeps it.

        Raises:
            PolicyForbids: the git folder cannot be written.
        """
        handle = self._open(branch)
        until = time.monotonic() + patience_seconds
        while not (locked := _locked(handle)) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        if locked:
            return handle
        os.close(handle)
        return None

    @contextmanager
    def alone(self, what: str = "repository") -> Generator[int]:
        """Nobody else changes what all worktrees share meanwhile. Yields an open file that may be handed on to git.

        Raises:
            SessionFailed: somebody has been at it for two minutes.
        """
        handle = self._open(what)
        try:
            until = time.monotonic() + LONGEST_WAIT_SECONDS
            while not _locked(handle):
                if time.monotonic() > until:
                    raise SessionFailed(
                        f"another process has kept {self.folder / what}.lock for {LONGEST_WAIT_SECONDS:.0f} s"
                    )
                time.sleep(_LOOK_SECONDS)
            yield handle
        finally:
            os.close(handle)

    def note(self, branch: str) -> Note | None:
        """What was noted of a branch's worktree; None when nothing was, or nothing that can be read."""
        try:
            return Note(**json.loads(self._note(branch).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_note(self, branch: str, note: Note) -> None:
        path = self._note(branch)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(note)))
        fresh.replace(path)

    def drop_note(self, branch: str) -> None:
        self._note(branch).unlink(missing_ok=True)

    def _note(self, branch: str) -> Path:
        return self.folder / f"{branch}.json"

    def _open(self, name: str) -> int:
        path = self.folder / f"{name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PolicyForbids(
                f"the git folder of the repository cannot be written: {error.strerror} ({path})",
                advice="worktrees and branches are kept there: let the user who runs the client write it",
            ) from error


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
