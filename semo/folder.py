"""The data folder of `semo up`: where each part keeps its things, and what a running office says of itself there."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from local_supabase.files import write_private
from semo.problems import Exit, SemoError
from shared.errors import ForeignFolder
from shared.folders import private_folder


@dataclass(frozen=True, repr=False)
class Status:
    """What `semo status --json` prints: where everything is and the keys to it. No `repr`: it is full of secrets."""

    supabase_url: str
    publishable_key: str
    service_role_key: str
    jwt_secret: str
    db_url: str
    office_url: str
    api_token: str
    office_id: str
    client_ids: list[str]


@dataclass(frozen=True)
class DataFolder:
    """Paths below one data folder, which is private to its user (mode 0700)."""

    path: Path

    @classmethod
    def default(cls) -> "DataFolder":
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return cls(Path(base) / "semo-office")

    @property
    def supabase(self) -> Path:
        return self.path / "supabase"

    @property
    def client(self) -> Path:
        return self.path / "client"

    @property
    def policy(self) -> Path:
        return self.client / "policy.toml"

    @property
    def token(self) -> Path:
        return self.path / "api-token.json"

    @property
    def repository(self) -> Path:
        return self.path / "repository"

    def log(self, part: str) -> Path:
        return self.path / f"{part}.log"

    def prepare(self) -> None:
        """Makes the folder.

        Raises:
            SemoError: it is somebody else's or used for something else, or cannot be made.
        """
        own_folder(self.path, "--data")
        own_folder(self.client, "--data")

    def publish(self, status: Status) -> None:
        write_private(self._status, json.dumps({"pid": os.getpid(), **asdict(status)}).encode())

    def withdraw(self) -> None:
        self._status.unlink(missing_ok=True)

    def read_status(self) -> Status:
        """What the office that runs on this folder now says of itself.

        Raises:
            SemoError: none runs, or it is not ready yet.
        """
        try:
            fields = json.loads(self._status.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            fields = None
        except PermissionError as error:
            raise SemoError(
                f"{self.path} belongs to another user", do="run as that user, or name your own folder with --data"
            ) from error
        if fields is None or not _alive(fields.pop("pid")):
            raise SemoError(
                f"no office is running on {self.path}",
                do="start one with `semo up`, or name its folder with --data",
                exit_code=Exit.UNREACHABLE,
            )
        return Status(**fields)

    @property
    def _status(self) -> Path:
        return self.path / "status.json"


def own_folder(folder: Path, option: str) -> Path:
    """Makes a folder private to this user, or takes over an empty one or one of ours.

    Args:
        option: with which another one can be named.

    Raises:
        SemoError: it is somebody else's or used for something else, or cannot be made.
    """
    try:
        return private_folder(folder, option=option)
    except ForeignFolder as error:
        do = error.advice or ""
        raise SemoError(error.detail, kept="nothing was changed", do=do, exit_code=Exit.USAGE) from error


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
