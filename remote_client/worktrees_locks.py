"""Who may work in a repository: file locks in its own git folder, where every client and every workspace finds them.

The system lets a lock go when its last holder has died, so that none is ever stale.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import PolicyForbids


class RepositoryLocks:
    """Of one repository. Everything of ours in its git folder is in `folder`."""

    def __init__(self, common_folder: Path) -> None:
        self.folder = common_folder / "semo-office"

    def take(self, branch: str) -> int | None:
        """An open file that is the right to a branch and to its worktree; None when somebody else has it.

        Raises:
            PolicyForbids: the git folder cannot be written.
        """
        handle = self._open(branch)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle

    @contextmanager
    def alone(self) -> Generator[int]:
        """Nobody else changes what all worktrees share meanwhile. The open file may be handed on to git."""
        handle = self._open("repository")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

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
