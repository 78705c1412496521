"""Starts, watches and stops one PostgreSQL server for a data folder; knows nothing of what is in it.

It listens on 127.0.0.1 only, and only passwords open it. It is a child of this process and goes with it.
"""

import asyncio
import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from local_supabase.cluster import Cluster, open_cluster, read_record, remove_cluster, write_record
from local_supabase.database import Database
from local_supabase.errors import KeysMissing, PortBusy, PostgresFailed
from local_supabase.files import only_one, private_folder
from local_supabase.keys import Keys, load_or_make
from local_supabase.ports import held_port
from local_supabase.postmaster import stop_orphan

SUPERUSER = "supabase_admin"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
RETRY_SECONDS = 0.2
READY_CHECK_SECONDS = 0.02
DEATHS_BEFORE_GIVING_UP = 5
_LOG_BYTES = 10 * 1024 * 1024


class PostgresServer:
    """A running server: `async with PostgresServer(data) as postgres: postgres.database().dsn_for("postgres")`.

    If it dies it is started again on the same port; `failed()` returns only when that is hopeless.
    """

    def __init__(
        self, data: Path, *, port: int | None = None, programs: Path | None = None, durable: bool = True
    ) -> None:
        """
        Args:
            data: the data folder; made if it is not there, kept between runs.
            port: the TCP port on 127.0.0.1; None: the one of the last run if it is free, else a free one.
            programs: a folder with `initdb` and `postgres`; the wheel's when None.
            durable: False trades the survival of a power cut for speed (tests).
        """
        self.data = data.absolute()
        self.port = 0
        self._wanted_port = port
        self._programs = programs
        self._durable = durable
        self._stopping = False
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises EmbeddedError, in words for the person who started it."""
        private_folder(self.data)
        self._resources.enter_context(only_one(self.data))
        try:
            self.keys: Keys = load_or_make(self.data)
            self._cluster: Cluster = await open_cluster(self.data, self._programs)
            await self._cluster.initialize(SUPERUSER, self.keys.database_passwords[SUPERUSER])
            await stop_orphan(self._cluster.data)
            self.port = self._choose_port()
            self._process = await self._start()
        except BaseException:
            await self._resources.aclose()
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="postgres-supervisor")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)
        await self._stop()
        await self._resources.aclose()

    @property
    def pid(self) -> int:
        """Of the server process that runs now."""
        return self._process.pid

    def database(self, name: str = "postgres") -> Database:
        """How to reach one database of this server."""
        return Database(self.port, self.keys.database_passwords, name)

    async def failed(self) -> None:
        """Waits for as long as the server can be kept alive.

        Raises:
            PostgresFailed: it died several times in a row.
        """
        await asyncio.shield(self._supervisor)

    async def remove(self) -> None:
        """Deletes a stopped server's data for good."""
        await asyncio.to_thread(remove_cluster, self.data)

    def _choose_port(self) -> int:
        record = read_record(self.data)
        port = self._wanted_port if self._wanted_port is not None else record.get("port", 0)
        try:
            chosen = self._resources.enter_context(held_port(port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if self._wanted_port is not None:
                raise PortBusy(
                    f"port {port} on 127.0.0.1 is in use", kept="nothing was changed", do="choose another port"
                ) from error
            chosen = self._resources.enter_context(held_port(0))
        write_record(self.data, {**record, "port": chosen})
        return chosen

    async def _start(self) -> asyncio.subprocess.Process:
        """Tries for some seconds: after a kill -9 the dead server's children hold the folder a little longer."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            process = await self._launch()
            try:
                async with asyncio.timeout_at(deadline):
                    if await self._became_ready(process):
                        return process
                    await asyncio.sleep(RETRY_SECONDS)
            except BaseException as error:
                await _end(process)
                if isinstance(error, TimeoutError):
                    raise self._failure() from error
                raise
            if not (self._cluster.data / "postmaster.pid").exists():
                raise self._failure()

    async def _launch(self) -> asyncio.subprocess.Process:
        log_path = self.data / "postgres.log"
        if log_path.exists() and log_path.stat().st_size > _LOG_BYTES:
            log_path.replace(self.data / "postgres.log.1")
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                self._cluster.programs / "postgres", "-D", str(self._cluster.data), *self._settings(),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent(),
                **self._cluster.process_options(),
            )  # fmt: skip
        finally:
            os.close(log)

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "wal_level": "logical",
            "max_wal_senders": 20,
            "max_replication_slots": 20,
            "max_slot_wal_keep_size": "512MB",
            "max_connections": 100,
            "shared_buffers": "64MB",
            "max_wal_size": "256MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
        }
        if not self._durable:
            # Commits stay synchronous: an asynchronous one reaches Realtime up to 200 ms late.
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    async def _became_ready(self, process: asyncio.subprocess.Process) -> bool:
        """True once a connection works; False when the process ended first."""
        ended = asyncio.create_task(process.wait())
        try:
            while not ended.done():
                try:
                    connection = await psycopg.AsyncConnection.connect(self.database().dsn_for(SUPERUSER))
                except psycopg.OperationalError as error:
                    if error.pgconn is not None and error.pgconn.used_password:
                        raise KeysMissing(
                            f"the keys in {self.data} do not open its database",
                            kept="the database",
                            do="put the keys.json back that was there when it was made",
                        ) from error
                    await asyncio.wait({ended}, timeout=READY_CHECK_SECONDS)
                else:
                    await connection.close()
                    return True
            return False
        finally:
            ended.cancel()

    async def _supervise(self) -> None:
        deaths = 0
        while not self._stopping:
            started = asyncio.get_running_loop().time()
            await self._process.wait()
            deaths = deaths + 1 if asyncio.get_running_loop().time() - started < START_SECONDS else 1
            if deaths >= DEATHS_BEFORE_GIVING_UP:
                raise self._failure()
            self._process = await self._start()

    async def _stop(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                await _end(self._process)

    def _failure(self) -> PostgresFailed:
        return PostgresFailed(
            "PostgreSQL does not stay up",
            kept=f"the data in {self._cluster.home}",
            do=f"its own words are at the end of {self.data / 'postgres.log'}",
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends a server at once; its write-ahead log makes the next start whole again."""
    if process.returncode is None:
        process.send_signal(signal.SIGQUIT)
        await process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel tells the server to shut down when we vanish, however we do."""
    if sys.platform != "linux":
        return None
    set_parent_death_signal = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        set_parent_death_signal(1, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
