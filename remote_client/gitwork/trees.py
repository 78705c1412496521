"""Merges two commits in memory by `git merge-tree`: no worktree, no index and no branch is touched. Blocks."""

from dataclasses import dataclass, field

from remote_client.worktrees_git import Git
from shared.errors import Conflict

LEAST_VERSION = (2, 38)


@dataclass(frozen=True)
class Merged:
    """`tree` is the merged one; `files` are those in conflict, none when it is clean."""

    tree: str
    files: list[str] = field(default_factory=list[str])


def version_of(git: Git) -> tuple[int, int]:
    """Of the git on this machine."""
    words = git("version").split()
    parts = words[2].split(".") if len(words) > 2 else []
    numbers = [int(part) for part in parts[:2] if part.isdigit()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


def require_merge_tree(git: Git) -> None:
    """
    Raises:
        Conflict: the machine's git is older than 2.38, the first that can.
    """
    found = version_of(git)
    if found < LEAST_VERSION:
        raise Conflict(
            f"git {found[0]}.{found[1]} cannot merge in memory; that takes 2.38 or newer",
            advice="update git on this machine",
        )


def merged(git: Git, ours: str, theirs: str) -> Merged:
    """
    Raises:
        SessionFailed: they have no history in common, or git failed.
    """
    said = git.either_way("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    tree, *files = [part.strip("\n") for part in said.split("\0")]
    return Merged(tree, sorted({_shown(name) for name in files if name}))


def _shown(name: str) -> str:
    """A file's name as text that can travel."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
