"""Puts the persona that the office rendered into `.claude/CLAUDE.md` of a worktree; no commit and no status shows it.

An untracked file is excluded, a tracked one passes a clean filter that takes our block out again on its way into git,
so that `git status`, `git add -A` and `commit -a` see what the file held before. Both are set for this worktree only.
"""

import asyncio
import re
from pathlib import Path

import git

from shared.errors import SessionFailed

FILE = Path(".claude/CLAUDE.md")
BEGIN = "<!-- semo:persona:begin -->"
END = "<!-- semo:persona:end -->"
_FILTER = "semo-persona"
_CLEAN = f"sed -e '/^{BEGIN}$/,/^{END}$/d'"
_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n.*?^{re.escape(END)}\n", re.MULTILINE | re.DOTALL)
_PATTERN = f"/{FILE}"


async def inject(worktree: Path, rendered: str) -> None:
    """Makes the file begin with the persona; again and again with the same end.

    Raises:
        SessionFailed: the file is a symbolic link, or another git filter has it.
    """
    await asyncio.to_thread(_inject, worktree, rendered)


async def remove(worktree: Path) -> None:
    """Makes the file what it was without us."""
    await asyncio.to_thread(_remove, worktree)


def without_block(text: str) -> str:
    return _BLOCK.sub("", text)


def with_block(text: str, rendered: str) -> str:
    persona = "\n".join(line for line in rendered.splitlines() if line.strip() not in (BEGIN, END))
    return f"{BEGIN}\n{persona}\n{END}\n{without_block(text)}"


def _inject(worktree: Path, rendered: str) -> None:
    path = worktree / FILE
    if path.is_symlink() or path.parent.is_symlink():
        raise SessionFailed(
            f"{path} is a symbolic link: the persona would be written elsewhere", advice="make it a file of its own"
        )
    repository = git.Repo(worktree)
    repository.git.config("extensions.worktreeConfig", "true")
    _exclude(repository)
    _filter(repository)
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else ""
    after = with_block(before, rendered)
    if after != before:
        path.write_text(after)
    _make_known(repository)


def _remove(worktree: Path) -> None:
    path = worktree / FILE
    if path.is_symlink() or not path.exists():
        return
    rest = without_block(path.read_text())
    repository = git.Repo(worktree)
    if rest or repository.git.ls_files("--", str(FILE)):
        path.write_text(rest)
        _make_known(repository)
        return
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def _exclude(repository: git.Repo) -> None:
    """A worktree has one excludes file: ours repeats what the person's own says."""
    ours = Path(repository.git_dir) / "semo-exclude"
    said = str(repository.git.config("--type=path", "--get-all", "core.excludesFile", with_exceptions=False))
    theirs = [Path("~/.config/git/ignore").expanduser()]
    theirs += [Path(line) for line in said.splitlines() if Path(line) != ours]
    text = theirs[-1].read_text() if theirs[-1].is_file() else ""
    ours.write_text(f"{text.rstrip()}\n{_PATTERN}\n".lstrip())
    repository.git.config("--worktree", "core.excludesFile", str(ours))


def _filter(repository: git.Repo) -> None:
    present = str(repository.git.check_attr("filter", "--", str(FILE))).rpartition(": ")[2]
    if present not in ("unspecified", "unset", _FILTER):
        raise SessionFailed(f'{FILE} has the git filter "{present}" already, so that the persona could not be kept out')
    repository.git.config("--worktree", f"filter.{_FILTER}.clean", _CLEAN)
    # Shared by all worktrees, and without effect where the filter is not defined.
    _add_line(Path(repository.common_dir) / "info" / "attributes", f"{_PATTERN} filter={_FILTER}")


def _make_known(repository: git.Repo) -> None:
    """Has git look at the file again when only our block changed: a new size alone counts as a modification."""
    tracked = str(repository.git.ls_files("--stage", "--", str(FILE)))
    if tracked and tracked.split()[1] == repository.git.hash_object(f"--path={FILE}", str(FILE)):
        repository.git.add("--", str(FILE))


def _add_line(path: Path, line: str) -> None:
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else ""
    if line not in text.splitlines():
        path.write_text(f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n")
