"""Files and folders that hold secrets: private from their first byte, never half written."""

import contextlib
import fcntl
import getpass
import os
import pwd
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from local_supabase.errors import DataFolderBusy, ForeignDataFolder, NotEnoughSpace

MINIMUM_FREE_BYTES = 200 * 1024 * 1024


def private_folder(path: Path) -> Path:
    """Makes `path` (mode 0700), or checks that it is this user's.

    Raises:
        ForeignDataFolder: it exists and belongs to somebody else, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = path.stat().st_uid
    except PermissionError as error:
        raise ForeignDataFolder(
            f"{path} cannot be used by {_user_name(os.geteuid())}: {error.strerror}",
            kept="nothing was changed",
            do="choose another folder with --data",
        ) from error
    if owner != os.geteuid():
        raise ForeignDataFolder(
            f"{path} belongs to {_user_name(owner)}, and you are {_user_name(os.geteuid())}",
            kept="nothing was changed",
            do=f"run as {_user_name(owner)}, or choose another folder with --data",
        )
    path.chmod(0o700)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replaces `path` (mode 0600) in one step: a reader sees the old or the new, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def only_one(folder: Path) -> Generator[None]:
    """Holds `folder` for this process; the lock goes with the process, however it ends.

    Raises:
        DataFolderBusy: another process holds it.
    """
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderBusy(
                f"{folder} is in use by another process",
                kept="nothing was changed",
                do="stop the other one, or choose another folder with --data",
            ) from error
        yield
    finally:
        os.close(handle)


def require_space(folder: Path, needed_bytes: int = MINIMUM_FREE_BYTES) -> None:
    """Raises NotEnoughSpace when the disk of `folder` has less than `needed_bytes` left."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise NotEnoughSpace(
            f"only {free // 2**20} MB are free where {folder} is; {needed_bytes // 2**20} MB are needed",
            kept="nothing was changed",
            do="make room, or choose a folder on another disk with --data",
        )


def _user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return getpass.getuser() if user_id == os.geteuid() else f"user {user_id}"
