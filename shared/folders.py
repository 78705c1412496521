"""The one rule by which a folder becomes ours and private. The only I/O in `shared`: each side keeps its secrets by it.

What is kept in such a folder is the business of whoever asks for it.
"""

import getpass
import os
import pwd
import stat
from pathlib import Path

from shared.errors import ForeignFolder

MARK = ".semo-office"


def private_folder(path: Path, *, option: str) -> Path:
    """Makes `path`, or takes it over, for this user alone (mode 0700), and marks it as ours.

    One that was there must be empty, or carry our mark, or lie in a folder that does.

    Args:
        option: how a person names another folder, such as "--data".

    Raises:
        ForeignFolder: it is somebody else's or used for something else, or cannot be made; nothing was changed.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = _objection_to(path)
        if problem is None:
            path.chmod(0o700)
            (path / MARK).touch(mode=0o600)
            return path
    except OSError as error:
        problem = f"{path} cannot be used by {_user_name(os.geteuid())}: {error.strerror}"
    raise ForeignFolder(problem, advice=f"name a new or an empty folder with {option}")


def _objection_to(folder: Path) -> str | None:
    found = folder.stat()
    if found.st_uid != os.geteuid():
        return f"{folder} belongs to {_user_name(found.st_uid)}, and you are {_user_name(os.geteuid())}"
    if _is_marked(folder) or _is_marked(folder.parent):
        return None
    if found.st_mode & stat.S_IWOTH:
        return f"{folder} is open to everybody's files"
    if any(folder.iterdir()):
        return f"{folder} is used for something else: it holds files that are not ours"
    return None


def _is_marked(folder: Path) -> bool:
    """A mark that somebody else has put there says nothing."""
    try:
        return (folder / MARK).lstat().st_uid == os.geteuid()
    except OSError:
        return False


def _user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return getpass.getuser() if user_id == os.geteuid() else f"user {user_id}"
