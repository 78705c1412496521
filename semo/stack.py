"""Brings up a whole office on this machine: embedded Supabase, office server, one client; and takes it down again."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from local_supabase.keys import Keys, load
from semo.folder import DataFolder, Status
from semo.join import join_client
from semo.office_setup import OfficeAccess, ensure_office
from semo.problems import SemoError
from semo.process import Part
from semo.repository import ensure_repository, write_policy

Report = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What the person who starts the office asked for."""

    folder: DataFolder
    port: int
    repository: Path | None = None
    agent: str = "shell"


class Stack:
    """`async with Stack(wishes, report) as stack:` runs until the block ends; `stack.status` says where everything is."""

    def __init__(self, wishes: Wishes, report: Report) -> None:
        self._wishes = wishes
        self._report = report
        self._parts = AsyncExitStack()
        self.restarted: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Raises SemoError or EmbeddedError, with everything that had been started stopped again."""
        try:
            self.status = await self._bring_up()
        except BaseException:
            await self._take_down()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._take_down()

    async def _bring_up(self) -> Status:
        folder = self._wishes.folder
        folder.prepare()
        office_port = _free_port(self._wishes.port)

        self._report("starting PostgreSQL and the gateway in front of it")
        supabase_url = (await self._run(self._supabase()))["supabase_url"]
        keys = load(folder.supabase)

        self._report("starting the office server")
        access = await ensure_office(supabase_url, keys.service_role_key, folder)
        office_url = (await self._run(self._office(office_port, supabase_url, keys)))["office_url"]

        self._report("starting the client of this machine")
        repository = await ensure_repository(self._wishes.repository or folder.repository)
        write_policy(folder.policy, repository, access.office_name, self._wishes.agent)
        client_id = await join_client(office_url, supabase_url, access, folder)
        await self._run(self._client())

        status = Status(
            supabase_url=supabase_url,
            publishable_key=keys.publishable_key,
            service_role_key=keys.service_role_key,
            jwt_secret=keys.jwt_secret,
            db_url=self._db_url(keys),
            office_url=office_url,
            api_token=access.token,
            office_id=access.office_id,
            client_ids=[client_id],
        )
        folder.publish(status)
        self._parts.callback(folder.withdraw)
        return status
