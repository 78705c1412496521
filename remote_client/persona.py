"""Puts the persona that the office rendered into `.claude/CLAUDE.md` of a worktree; no commit and no status shows it.

An untracked file is excluded, a tracked one passes a filter (`persona_filter`) that takes our block out on its way into
git. Both are set for this worktree alone. What else is in the file stays as it is, byte by byte.
"""

import asyncio
from pathlib import Path

from remote_client.persona_filter import BEGIN, BLOCK, CLEAN, END, NAME, SMUDGE, block_of, without_block
from remote_client.worktrees_git import Git
from remote_client.worktrees_locks import RepositoryLocks
from remote_client.worktrees_place import common_folder_of, git_folder_of
from shared.errors import SessionFailed

__all__ = ["BEGIN", "END", "FILE", "inject", "is_worn", "remove"]

FILE = Path(".claude/CLAUDE.md")
_FRESH = FILE.with_name("CLAUDE.md.semo-new")
_PATTERN = f"/{FILE}"
_ATTRIBUTES = f"{_PATTERN} filter={NAME}"
_AIDER_CACHE = "/.aider.tags.cache.*/"
"""aider keeps its map of the code in the worktree, and cannot be told to keep it elsewhere."""
_EXCLUDES = "semo-exclude"
_SETTINGS = "semo-settings"


async def inject(worktree: Path, rendered: str) -> None:
    """Makes the file begin with the persona; again and again with the same end.

    Raises:
        SessionFailed: there is something else than a file, another git filter has it, or git failed.
    """
    await asyncio.to_thread(_inject, worktree, rendered)


async def remove(worktree: Path) -> None:
    """Makes the file and the worktree's settings what they would be without us.

    Raises:
        SessionFailed: git failed.
    """
    await asyncio.to_thread(_remove, worktree)


def is_worn(worktree: Path, rendered: str) -> bool:
    """Whether an agent that reads the file now reads this persona first."""
    block, path = block_of(rendered), worktree / FILE
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(block)) == block


def _inject(worktree: Path, rendered: str) -> None:
    path = worktree / FILE
    if not (worktree / ".git").is_file():
        raise SessionFailed(f"{worktree} is no worktree any more")
    _check_is_a_file(path)
    here, own = Git(worktree), git_folder_of(worktree)
    entry = here("ls-files", "--stage", "-t", "--", str(FILE))
    if entry.startswith("S "):
        _bring_out(here)
    text = without_block(path.read_bytes(), worktree) if path.exists() else b""
    _set_up(here, own, common_folder_of(worktree))
    block = block_of(rendered)
    (own / BLOCK).write_bytes(block)
    if not path.exists() or path.read_bytes() != block + text:
        path.parent.mkdir(exist_ok=True)
        _write(worktree, block + text)
    if entry:
        _make_known(here)


def _remove(worktree: Path) -> None:
    if not (worktree / ".git").exists():
        return
    here, path, own = Git(worktree), worktree / FILE, git_folder_of(worktree)
    if not (own / BLOCK).exists():
        return
    entry = here("ls-files", "--", str(FILE))
    if path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
        before = path.read_bytes()
        rest = without_block(before, worktree)
        if rest != before and (rest or entry):
            _write(worktree, rest)
        elif not rest and not entry:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        if entry:
            _make_known(here)
    if _is_set_up(own):
        here("config", "--worktree", "--unset", "include.path", f"^{_SETTINGS}$")
    for name in (_SETTINGS, _EXCLUDES, BLOCK):
        (own / name).unlink(missing_ok=True)
    if (own / "info" / "sparse-checkout").exists():
        here("sparse-checkout", "reapply")


def _check_is_a_file(path: Path) -> None:
    if path.is_symlink() or path.parent.is_symlink():
        raise SessionFailed(
            f"{path} is a symbolic link: the persona would be written elsewhere", advice="make it a file of its own"
        )
    if (path.parent.exists() and not path.parent.is_dir()) or path.is_dir():
        raise SessionFailed(f"{path} cannot be a file: something else is in its way", advice="move that away")


def _bring_out(here: Git) -> None:
    """Of a sparse checkout, which would take a file that is there all the same for a changed one."""
    here("update-index", "--no-skip-worktree", "--", str(FILE))
    here("checkout-index", "--force", "--", str(FILE))


def _write(worktree: Path, text: bytes) -> None:
    """All of it or nothing, whenever we are killed."""
    path, fresh = worktree / FILE, worktree / _FRESH
    fresh.write_bytes(text)
    if path.exists():
        fresh.chmod(path.stat().st_mode)
    fresh.replace(path)


def _make_known(here: Git) -> None:
    """Has git look at the file again when only our block changed: a new size alone counts as a modification."""
    entry = here("ls-files", "--stage", "--", str(FILE))
    if entry and entry.split()[1] == here("hash-object", f"--path={FILE}", str(FILE)):
        here("update-index", "--", str(FILE))


def _set_up(here: Git, own: Path, common: Path) -> None:
    """Filter and exclusion, for this worktree; what all worktrees share is changed by one at a time."""
    if not _has_own_settings(common) or not _has_attributes(common):
        with RepositoryLocks(common).alone():
            present = here("check-attr", "filter", "--", str(FILE)).rpartition(": ")[2]
            if present not in ("unspecified", "unset", NAME):
                raise SessionFailed(
                    f'{FILE} has the git filter "{present}" already, so that the persona could not be kept out'
                )
            _enable_own_settings(here, common)
            _add_attributes(common)
    excludes = f"\texcludesFile = {_quoted(str(own / _EXCLUDES))}"
    if _is_set_up(own) and excludes in _text_of(own / _SETTINGS).splitlines():
        return
    _write_excludes(here, own)
    settings = {"clean": CLEAN, "smudge": SMUDGE, "required": "true"}
    lines = [f'[filter "{NAME}"]', *(f"\t{key} = {_quoted(value)}" for key, value in settings.items())]
    lines += ["[core]", excludes, ""]
    (own / _SETTINGS).write_text("\n".join(lines), errors="surrogateescape")
    if not _is_set_up(own):
        here("config", "--worktree", "--add", "include.path", _SETTINGS)


def _quoted(value: str) -> str:
    """As a git configuration file wants it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def _is_set_up(own: Path) -> bool:
    return f"path = {_SETTINGS}" in _text_of(own / "config.worktree")


def _has_own_settings(common: Path) -> bool:
    return "worktreeconfig = true" in _text_of(common / "config").lower()


def _has_attributes(common: Path) -> bool:
    return _ATTRIBUTES in _text_of(common / "info" / "attributes").splitlines()


def _text_of(path: Path) -> str:
    return path.read_text(errors="surrogateescape") if path.exists() else ""


def _enable_own_settings(here: Git, common: Path) -> None:
    """As `git worktree` says: a bare repository's own settings must move out of what all worktrees share."""
    shared = ("config", "--file", str(common / "config"))
    for key in ("core.bare", "core.worktree"):
        value = here.find(*shared, "--get", key)
        if value is not None and value != "false":
            here("config", "--file", str(common / "config.worktree"), key, value)
            here(*shared, "--unset", key)
    here(*shared, "extensions.worktreeConfig", "true")


def _add_attributes(common: Path) -> None:
    """Shared by all worktrees, and without effect where the filter is not defined."""
    path = common / "info" / "attributes"
    path.parent.mkdir(exist_ok=True)
    text = _text_of(path)
    separator = "" if not text or text.endswith("\n") else "\n"
    if not _has_attributes(common):
        path.write_text(f"{text}{separator}{_ATTRIBUTES}\n", errors="surrogateescape")


def _write_excludes(here: Git, own: Path) -> None:
    """A worktree has one excludes file: ours repeats what the person's own says."""
    ours = own / _EXCLUDES
    said = here.find("config", "--type=path", "--get-all", "core.excludesFile") or ""
    theirs = [Path("~/.config/git/ignore").expanduser()]
    theirs += [Path(line) for line in said.splitlines() if Path(line) != ours]
    lines = f"{_text_of(theirs[-1]).rstrip()}\n{_PATTERN}\n/{_FRESH}\n{_AIDER_CACHE}\n".lstrip()
    ours.write_text(lines, errors="surrogateescape")
