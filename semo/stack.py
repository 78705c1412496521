"""Brings up a whole office on this machine: embedded Supabase, office server, one client; and takes it down again."""

import asyncio
import errno
import shutil
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local_supabase.cluster import read_record, remove_cluster
from local_supabase.database import Database
from local_supabase.files import only_one
from local_supabase.keys import Keys, load
from local_supabase.ports import held_port
from semo.folder import DataFolder, Status
from semo.join import ensure_joined
from semo.office_setup import ensure_office
from semo.problems import Exit, SemoError
from semo.process import Part
from semo.repository import ensure_repository, named_variables, require_lent, write_policy

Report = Callable[[str], None]
_REVOKED = 4
"""How `python -m remote_client` ends when it was shut out."""


@dataclass(frozen=True)
class Wishes:
    """What the person who starts the office asked for. `port` is the office's, the next one the
    gateway's; 0 takes free ones."""

    folder: DataFolder
    port: int
    repository: Path | None = None
    agent: str = "shell"
    dashboard: bool = True
    client_env: Mapping[str, str] = field(default_factory=dict[str, str])


class Stack:
    """A running office: `async with Stack(wishes, report) as stack`. `stack.status` says where everything is."""

    status: Status

    def __init__(self, wishes: Wishes, report: Report) -> None:
        self._wishes = wishes
        self._report = report
        self._running = AsyncExitStack()
        self._parts: list[Part] = []

    async def __aenter__(self) -> Self:
        """Raises SemoError or EmbeddedError, with everything that had been started stopped again."""
        try:
            await self._bring_up()
        except BaseException:
            await self._running.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._report("closing the office")
        await self._running.aclose()

    def part(self, name: str) -> Part:
        """The one of that name: "embedded Supabase", "office server" or "client"."""
        return next(part for part in self._parts if part.name == name)

    async def keep_running(self) -> None:
        """Starts parts that die again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(part.keep_running(self._report))

    async def remove(self) -> None:
        """Deletes the database of a stopped office and its folder for good."""
        await asyncio.to_thread(remove_cluster, self._wishes.folder.supabase)
        await asyncio.to_thread(shutil.rmtree, self._wishes.folder.path)

    async def _bring_up(self) -> None:
        folder = self._wishes.folder
        folder.prepare()
        self._running.enter_context(only_one(folder.path))
        folder.withdraw()  # what one that was killed left
        wanted = self._wishes.port
        office_port, supabase_port = self._hold(wanted), self._hold(wanted + 1 if wanted else 0)
        repository = await ensure_repository(self._wishes.repository or folder.repository)
        if self._wishes.repository is not None:
            require_lent(folder.policy, repository)

        self._report("starting PostgreSQL and the gateway in front of it")
        supabase_url = str((await self._start(_supabase(folder, supabase_port)))["supabase_url"])
        keys = load(folder.supabase)

        self._report("starting the office server")
        access = await ensure_office(supabase_url, keys.service_role_key, folder.token)
        office_url = str((await self._start(_office(self._wishes, office_port, supabase_url, keys)))["office_url"])

        self._report("starting the client of this machine")
        write_policy(folder.policy, repository, access.office_name, self._wishes.agent)
        client_id = await ensure_joined(office_url, supabase_url, access, folder)
        await self._start(_client(folder, {**named_variables(folder.policy), **self._wishes.client_env}))

        self.status = Status(
            supabase_url=supabase_url,
            publishable_key=keys.publishable_key,
            service_role_key=keys.service_role_key,
            jwt_secret=keys.jwt_secret,
            db_url=Database(read_record(folder.supabase)["port"], keys.database_passwords).dsn_for("postgres"),
            office_url=office_url,
            api_token=access.token,
            office_id=access.office_id,
            client_ids=[client_id],
        )
        folder.publish(self.status)
        self._running.callback(folder.withdraw)

    def _hold(self, port: int) -> int:
        """Keeps it for a part of ours, also while that is started again."""
        try:
            return self._running.enter_context(held_port(port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise SemoError(
                f"port {port} on 127.0.0.1 is not to be had: {error.strerror}",
                kept="nothing was started",
                do="name another with --port (0: any free one), or stop what listens there",
                exit_code=Exit.USAGE,
            ) from error

    async def _start(self, part: Part) -> dict[str, Any]:
        """Starts a part; it is stopped before those that were started earlier."""
        ready = await part.start()
        self._running.push_async_callback(part.stop)
        self._parts.append(part)
        return ready


def _supabase(folder: DataFolder, port: int) -> Part:
    arguments = ["-m", "local_supabase", "--data", str(folder.supabase), "--port", str(port)]
    return Part("embedded Supabase", arguments, {}, folder.log("supabase"))


def _office(wishes: Wishes, port: int, supabase_url: str, keys: Keys) -> Part:
    # The service key goes by environment, which only this user can read; never by the command line.
    env = {
        "SUPABASE_URL": supabase_url,
        "SUPABASE_SERVICE_ROLE_KEY": keys.service_role_key,
        "SUPABASE_PUBLISHABLE_KEY": keys.publishable_key,
        "SUPABASE_JWT_SECRET": keys.jwt_secret,
        "SEMO_OFFICE_PORT": str(port),
        "SEMO_OFFICE_DASHBOARD": str(wishes.dashboard).lower(),
    }
    return Part("office server", ["-m", "office_server", "--ready-line"], env, wishes.folder.log("office"))


def _client(folder: DataFolder, more: Mapping[str, str]) -> Part:
    env = {
        "SEMO_CLIENT_STATE_DIR": str(folder.client),
        "SEMO_CLIENT_POLICY_FILE": str(folder.policy),
        "SEMO_CLIENT_SESSIONS_AT_STOP": "end",
        **more,
    }
    return Part("client", ["-m", "remote_client", "--ready-line"], env, folder.log("client"), frozenset({_REVOKED}))
