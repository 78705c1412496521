"""The launcher: one PostgreSQL for one data folder, whatever was there before and however it ends."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from local_supabase.cluster import open_cluster, read_record, wheel_programs
from local_supabase.errors import (
    DataFolderBusy,
    ForeignDataFolder,
    KeysMissing,
    NotEnoughSpace,
    OtherPostgresVersion,
    PortBusy,
    PostgresFailed,
)
from local_supabase.files import private_folder
from local_supabase.postgres import PostgresServer
from tests.support.embedded import REPOSITORY

AS_ROOT = os.geteuid() == 0


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncGenerator[Path]:
    """A data folder; what root keeps outside of it is removed with it."""
    data = tmp_path / "data"
    yield data
    if data.exists() and data.stat().st_uid == os.geteuid():
        await PostgresServer(data).remove()


@asynccontextmanager
async def running(
    folder: Path, *, port: int | None = None, programs: Path | None = None
) -> AsyncGenerator[PostgresServer]:
    async with PostgresServer(folder, port=port, programs=programs, durable=False) as server:
        yield server


async def ask(server: PostgresServer, statement: str) -> object:
    dsn = server.database().dsn_for("supabase_admin")
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


async def end_of(pid: int) -> None:
    """Waits until the process `pid`, which need not be our child, has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(45):
            await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def test_data_port_and_keys_are_kept_between_runs_and_private(folder: Path) -> None:
    async with running(folder) as server:
        await ask(server, "create table kept as select 42 as value")
        port, key = server.port, server.keys.service_role_key
    async with running(folder) as server:
        assert await ask(server, "select value from kept") == 42
        assert (server.port, server.keys.service_role_key) == (port, key)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_only_a_password_opens_it_and_only_from_this_machine(folder: Path) -> None:
    async with running(folder) as server:
        assert await ask(server, "show listen_addresses") == "127.0.0.1"
        assert await ask(server, "show unix_socket_directories") == ""
        assert await ask(server, "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'") == 0
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(f"postgresql://supabase_admin:wrong@127.0.0.1:{server.port}/postgres")


async def test_it_comes_back_on_the_same_port_when_it_is_killed(folder: Path) -> None:
    async with running(folder) as server:
        await ask(server, "create table kept as select 42 as value")
        pid, port = server.pid, server.port
        os.kill(pid, signal.SIGKILL)
        await end_of(pid)
        async with asyncio.timeout(45):
            while await asked_or_gone(server) != 42 or server.pid == pid:  # noqa: ASYNC110 - it tells nobody when it is back
                await asyncio.sleep(0.02)
        assert server.port == port


async def asked_or_gone(server: PostgresServer) -> object:
    try:
        return await ask(server, "select value from kept")
    except psycopg.OperationalError:
        return None


async def test_it_ends_with_the_process_that_started_it_even_when_that_is_killed(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.postgres_process", str(folder),
        cwd=REPOSITORY, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert await child.stdout.readline()
    pid = postmaster_of(folder)
    child.kill()
    await child.wait()
    await end_of(pid)
    async with running(folder) as server:
        assert await ask(server, "select 1") == 1


def postmaster_of(folder: Path) -> int:
    home = Path(read_record(folder).get("home", folder / "postgres"))
    return int((home / "data" / "postmaster.pid").read_text().splitlines()[0])


async def test_an_orphan_of_an_earlier_run_is_stopped_first(folder: Path) -> None:
    async with running(folder) as server:
        await ask(server, "create table kept as select 42 as value")
    cluster = await open_cluster(folder)
    orphan = await asyncio.create_subprocess_exec(
        cluster.programs / "postgres", "-D", str(cluster.data), "-p", str(server.port),
        "-c", "unix_socket_directories=",
        **cluster.process_options(), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert orphan.stderr is not None
    while b"ready to accept connections" not in await orphan.stderr.readline():
        assert orphan.returncode is None
    async with running(folder) as server:
        assert await orphan.wait() == 0
        assert await ask(server, "select value from kept") == 42


async def test_a_process_number_that_now_belongs_to_another_program_does_no_harm(folder: Path) -> None:
    async with running(folder):
        pass
    cluster = await open_cluster(folder)
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    async with running(folder) as server:
        assert await ask(server, "select 1") == 1


async def test_a_set_up_that_was_cut_short_is_begun_again(folder: Path) -> None:
    cluster = await open_cluster(private_folder(folder))
    cluster.data.mkdir()
    (cluster.data / "PG_VERSION").write_text("18\n")
    async with running(folder) as server:
        assert await ask(server, "select 1") == 1


async def test_one_folder_is_served_by_one_process(folder: Path) -> None:
    async with running(folder):
        with pytest.raises(DataFolderBusy, match="in use by another process"):
            async with running(folder):
                pass


async def test_data_of_another_major_version_is_left_alone(folder: Path) -> None:
    async with running(folder):
        pass
    version = (await open_cluster(folder)).data / "PG_VERSION"
    ours = version.read_text().strip()
    version.write_text("14\n")
    with pytest.raises(OtherPostgresVersion, match=f"made by PostgreSQL 14; this is {ours}") as caught:
        async with running(folder):
            pass
    assert caught.value.kept == "nothing was changed"


async def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    if AS_ROOT:
        folder.mkdir()
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(ForeignDataFolder) as caught:
        async with running(folder if AS_ROOT else Path("/usr/semo-office-test")):
            pass
    assert "--data" in caught.value.do


async def test_a_busy_port_is_an_error_when_it_was_asked_for_and_avoided_when_not(folder: Path) -> None:
    async with running(folder) as server:
        kept = server.port
    with socket.create_server(("127.0.0.1", kept)):
        with pytest.raises(PortBusy, match=f"port {kept}"):
            async with running(folder, port=kept):
                pass
        async with running(folder) as server:
            assert server.port != kept


async def test_a_full_disk_is_noticed_before_anything_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    def nearly_full(_: Path) -> Usage:
        return Usage(1024)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(NotEnoughSpace, match="MB are needed"):
        async with running(folder):
            pass


async def test_keys_that_do_not_fit_the_database_are_named(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "keys.json").unlink()
    with pytest.raises(KeysMissing, match=r"keys\.json"):
        async with running(folder):
            pass


async def test_no_programs_is_a_clear_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PostgresFailed, match="there is no PostgreSQL in"):
        async with running(folder, programs=tmp_path):
            pass


async def test_removing_leaves_nothing_of_the_cluster(folder: Path) -> None:
    async with running(folder) as server:
        home = (await open_cluster(folder)).home
    await server.remove()
    assert not home.exists()


@pytest.mark.skipif(not AS_ROOT, reason="only root lends PostgreSQL another account")
async def test_programs_that_the_lent_account_cannot_reach_are_copied(folder: Path, tmp_path: Path) -> None:
    installation, package = wheel_programs().parent, wheel_programs().parents[1]
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    shutil.copytree(installation, hidden / package.name / installation.name, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, hidden / libraries.name)
    programs = hidden / package.name / installation.name / "bin"
    async with running(folder, programs=programs) as server:
        assert await ask(server, "select 1") == 1
        assert (await open_cluster(folder, programs)).programs.is_relative_to(read_record(folder)["home"])


@pytest.mark.skipif(not AS_ROOT, reason="the other tests run as an ordinary user already")
async def test_an_ordinary_user_keeps_everything_in_the_data_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    nobody = pwd.getpwnam("nobody")
    python = python_for(nobody)
    base = Path(f"/tmp/semo-office-user-test-{os.getpid()}")
    base.mkdir(mode=0o700)
    os.chown(base, nobody.pw_uid, nobody.pw_gid)
    try:
        child = await asyncio.create_subprocess_exec(
            python, "-m", "tests.support.postgres_process", str(base / "data"),
            cwd=REPOSITORY, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
            env={"PYTHONPATH": site_packages(), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C"},
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        assert await child.stdout.readline()
        assert (base / "data" / "postgres" / "data" / "PG_VERSION").exists()
        child.stdin.close()
        assert await child.wait() == 0
    finally:
        shutil.rmtree(base)


def site_packages() -> str:
    return str(wheel_programs().parents[2])


def python_for(account: pwd.struct_passwd) -> str:
    """A Python of this version that `account` may run; a virtual environment's may lie in root's home."""
    version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            found = subprocess.run(
                [python, "-c", version],
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
                check=False,
                cwd="/",
            )
        except OSError:
            continue
        if found.returncode == 0:
            return python
    pytest.skip("there is no Python that the account nobody may run")
