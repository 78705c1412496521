"""Real git, for tests: a command, a repository, a commit."""

import atexit
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory


def git(folder: Path, *arguments: str) -> str:
    """What git prints; a failure shows what it said."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr or done.stdout}"
    return done.stdout


def new_repository(path: Path) -> Path:
    """On branch main, with one commit that holds README.md."""
    shutil.copytree(_first_repository(), path, ignore=shutil.ignore_patterns("*.sample"))
    # What the index knows of the files was true of the original: a git that looks would write it anew.
    git(path, "update-index", "--refresh")
    return path


@cache
def _first_repository() -> Path:
    """Made once for all: it is six calls of git, and a copy is one."""
    folder = TemporaryDirectory(prefix="semo-first-repository-")
    atexit.register(folder.cleanup)
    path = Path(folder.name)
    git(path, "init", "--quiet", "--initial-branch=main")
    git(path, "config", "user.name", "Tester")
    git(path, "config", "user.email", "tester@example.invalid")
    commit(path, {"README.md": "hello\n"}, "first")
    return path


def commit(folder: Path, files: dict[str, str], message: str) -> str:
    """Writes and commits files. Returns the commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--force", "--", *files)
    git(folder, "commit", "--quiet", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()
