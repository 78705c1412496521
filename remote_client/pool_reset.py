"""Puts away what a turn leaves behind in git beside files and commits, before the next one comes to the worktree.

The worktree itself is looked after in `worktrees`. What the whole repository shares is left alone, but for stashes.
"""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from remote_client.worktrees import Worktree
from remote_client.worktrees_git import Git
from remote_client.worktrees_place import git_folder_of

_STAYS = frozenset({"HEAD", "index", "commondir", "gitdir", "locked", "logs", "refs", "modules"})
"""What makes a worktree one, the clones of its submodules, and what may still be needed to find work again."""
STASHES = "refs/semo/stashes"


@dataclass(frozen=True)
class _Stash:
    commit: str
    words: str


async def uncover(worktree: Worktree) -> list[str]:
    """Undoes what hides work from git, so that it can be asked whether there is any, and takes stashes aside.

    Returns the references under which its stashes are kept: `git stash apply REFERENCE` brings one back.

    Raises:
        SessionFailed: git failed.
    """
    return await asyncio.to_thread(_uncover, worktree)


async def forget(worktree: Worktree) -> None:
    """Forgets messages, marks and other notes that git keeps for a worktree; for one without work in it."""
    await asyncio.to_thread(_forget, git_folder_of(worktree.path))


def _uncover(worktree: Worktree) -> list[str]:
    folder = git_folder_of(worktree.path)
    (folder / "config.worktree").unlink(missing_ok=True)
    (folder / "info" / "sparse-checkout").unlink(missing_ok=True)
    git = Git(worktree.path)
    _show_files(git)
    return _keep_stashes(git, worktree.branch)


def _show_files(git: Git) -> None:
    listed = [name.partition(" ") for name in git.names("ls-files", "-v", "-z")]
    _in_portions(git, "--no-assume-unchanged", [name for tag, _, name in listed if tag.islower()])
    _in_portions(git, "--no-skip-worktree", [name for tag, _, name in listed if tag.upper() == "S"])


def _in_portions(git: Git, flag: str, names: list[str], portion: int = 500) -> None:
    for start in range(0, len(names), portion):
        git("update-index", flag, "--", *names[start : start + portion])


def _forget(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name in _STAYS:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _keep_stashes(git: Git, branch: str) -> list[str]:
    """All worktrees of a repository share one list of stashes; those that were made on this branch leave it."""
    kept: list[str] = []
    for stash in _stashes_of(git, branch):
        reference = f"{STASHES}/{branch}/{stash.commit}"
        git("update-ref", reference, stash.commit)
        kept.append(reference)
    while mine := _stashes_of(git, branch):
        place = [one.commit for one in _stashes(git)].index(mine[0].commit)
        said = git("stash", "drop", f"stash@{{{place}}}")
        dropped = said.rpartition("(")[2].rstrip(")")
        if dropped != mine[0].commit:  # somebody stashed at this very moment, and the numbers moved
            git("stash", "store", "--message", "WIP", dropped)
    return kept


def _stashes_of(git: Git, branch: str) -> list[_Stash]:
    return [one for one in _stashes(git) if one.words.startswith((f"WIP on {branch}:", f"On {branch}:"))]


def _stashes(git: Git) -> list[_Stash]:
    lines = git("stash", "list", "--format=%H %gs").splitlines()
    return [_Stash(commit, words) for commit, _, words in (line.partition(" ") for line in lines)]
