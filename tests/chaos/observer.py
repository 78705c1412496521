"""Asks for commands, breaks an office meanwhile, forges writes, and says in the end what became of it all.

The ledger is the independent witness: every command that is typed writes its number there, and has it on disk before
it goes on. Beside it, the tables are read. Nothing that the client or the office says of itself is believed.
"""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from semo.office_api import OfficeApi
from semo.problems import SemoError
from shared.ids import ClientId
from tests.chaos.breakable import FAULTS, Breakable, insist

DONE = "echo '[SEMO:DONE]'"
AT_ONCE = 6
SETTLE_SECONDS = 90.0
UNFINISHED = "select * from agent_commands where office_id = %s and status in ('pending', 'processing')"
FAR = 1000
"""A lie that no restart and no rescue makes true meanwhile."""


@dataclass
class Asked:
    """What was asked for: its number in the ledger, and its command."""

    number: int
    kind: str
    command: UUID


@dataclass
class Observer:
    office: Breakable
    chance: random.Random
    ledger: Path
    sessions: dict[str, UUID] = field(default_factory=dict[str, UUID])
    asked: list[Asked] = field(default_factory=list[Asked])
    forged: Counter[str] = field(default_factory=Counter[str])
    accepted: list[str] = field(default_factory=list[str])
    recoveries: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return await insist(lambda: self.office.office.sql(statement, *values), psycopg.OperationalError)

    async def _until_none(self, statement: str, *values: Any) -> None:
        """Looks until a query finds nothing: whatever could tell of it is what is being broken."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while left := await self.sql(statement, *values):
            assert time.monotonic() < deadline, f"left behind: {left}"
            await asyncio.sleep(0.05)

    # Asking ----------------------------------------------------------------------------------------------------------

    async def keep_asking(self, least: int, over: asyncio.Event) -> None:
        while not over.is_set() or len(self.asked) < least:
            await self._ask_one(len(self.asked))
            await self._until_none(f"{UNFINISHED} order by seq offset %s", self.office.office.office_id, AT_ONCE - 1)

    async def _ask_one(self, number: int) -> None:
        kind = self.chance.choice(["session", "session", "role", "keys", "rest", "session for a moment"])
        line = f"echo ran-{number} >> {self.ledger}; sync {self.ledger}"
        prompt = f"{line}\nsleep {self.chance.uniform(0, 0.3):.2f}\n{DONE}"
        if kind == "rest":
            command = await self._ask_by_rest(prompt, f"chaos-{number}")
        elif kind == "role":
            command = await self._ask("send_prompt", {"role": "QA", "text": prompt}, None, number)
        elif kind == "keys":
            command = await self._ask("send_text", {"text": f"{line}\n"}, await self._session("keys"), number)
        elif kind == "session for a moment":
            command = await self._ask("create_session", {"role": "FE"}, None, number)
            made = await self._final(command)
            if made["status"] == "completed":
                await self._ask("terminate", {}, made["session_id"], f"{number}-over")
        else:
            command = await self._ask("send_prompt", {"text": prompt}, await self._session("BE"), number)
        self.asked.append(Asked(number, kind, command))

    async def _ask(self, command_type: str, payload: dict[str, Any], session: UUID | None, number: int | str) -> UUID:
        """As often as it takes; asked for once."""
        key = f"chaos-{number}"
        await self.sql(
            "insert into agent_commands (office_id, client_id, session_id, command_type, payload, idempotency_key) "
            "values (%s, %s, %s, %s, %s, %s) on conflict (office_id, idempotency_key) do nothing",
            self.office.office.office_id,
            self.office.laptop.client_id if command_type == "create_session" or session is not None else None,
            session, command_type, json.dumps(payload), key,
        )  # fmt: skip
        [row] = await self.sql("select id from agent_commands where idempotency_key = %s", key)
        return row["id"]

    async def _ask_by_rest(self, prompt: str, key: str) -> UUID:
        path = f"/sessions/{await self._session('BE')}/prompt"
        async with OfficeApi.of(self.office.stack.status) as api:
            answer = await insist(lambda: api.post(path, {"text": prompt}, key=key), SemoError, httpx.HTTPError)
        return UUID(answer["command_id"])

    async def _session(self, name: str) -> UUID:
        """A session of the laptop; another one when the last one has ended."""
        known = self.sessions.get(name)
        if known is not None and await self.sql(
            "select 1 from agent_sessions where id = %s and ended_at is null", known
        ):
            return known
        while True:
            command = await self._ask(
                "create_session", {"role": "BE", "task": f"{name}-{uuid4().hex[:6]}"}, None, f"{name}-{uuid4()}"
            )
            row = await self._final(command)
            if row["status"] == "completed":
                self.sessions[name] = row["session_id"]
                return row["session_id"]

    async def _final(self, command: UUID) -> dict[str, Any]:
        await self._until_none(f"{UNFINISHED} and id = %s", self.office.office.office_id, command)
        [row] = await self.sql("select * from agent_commands where id = %s", command)
        return row

    # Breaking --------------------------------------------------------------------------------------------------------

    async def break_it(self, fault: str) -> None:
        """Does it, and measures from its end until the laptop has done a prompt that was asked for then."""
        session = await self._session("probe")
        ended = await FAULTS[fault](self.office)
        for attempt in range(10):
            command = await self._ask("send_prompt", {"text": DONE}, session, f"probe-{uuid4()}-{attempt}")
            row = await self._final(command)
            if row["status"] == "completed":
                break
            session = await self._session("probe")
        else:
            raise AssertionError(f"no probe was done after {fault}")
        self.recoveries.append((fault, time.monotonic() - ended))

    async def keep_forging(self, over: asyncio.Event) -> None:
        """Writes of owners that are none, or none any more: every one is to be refused."""
        while not over.is_set():
            with suppress(psycopg.OperationalError):
                await self._forge_one()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await over.wait()

    async def _forge_one(self) -> None:
        rows = await self.office.office.sql(
            "select c.id, c.attempt, c.claimed_by, r.epoch from agent_commands c "
            "join remote_clients r on r.id = c.claimed_by where c.office_id = %s "
            "order by random() limit 1", self.office.office.office_id,
        )  # fmt: skip
        if not rows:
            return
        row = rows[0]
        client, epoch, attempt = row["claimed_by"], row["epoch"], row["attempt"]
        lie = self.chance.choice(["older epoch", "newer epoch", "older attempt", "newer attempt", "another client"])
        if lie.endswith("epoch"):
            epoch += -1 if lie == "older epoch" else FAR
        elif lie.endswith("attempt"):
            attempt += -1 if lie == "older attempt" else FAR
        else:
            client = ClientId(uuid4())
        write = self.chance.choice([
            "complete_command(%s, %s, %s, %s, true, '{}')", "report_lost(%s, %s, %s, %s, 'forged')",
            "give_back_command(%s, %s, %s, %s)", "complete_command(%s, %s, %s, %s, false, null, 'forged', 'forged')",
        ])  # fmt: skip
        try:
            await self.office.office.sql(f"select {write}", client, epoch, row["id"], attempt)
        except psycopg.DatabaseError as error:
            if not (error.sqlstate or "").startswith("SO"):
                raise
            self.forged[lie] += 1
        else:
            self.accepted.append(f"{lie}: {write} of {row}")

    # Judging ---------------------------------------------------------------------------------------------------------

    async def judge(self) -> Counter[str]:
        """Returns how often which state was the last one."""
        await self._until_none(UNFINISHED, self.office.office.office_id)
        typed = Counter(int(line.removeprefix("ran-")) for line in self.ledger.read_text().split())
        rows = await self.sql(
            "select c.*, array(select r.attempt from agent_command_results r where r.command_id = c.id) as results "
            "from agent_commands c where c.office_id = %s", self.office.office.office_id,
        )  # fmt: skip
        known = {row["id"]: row for row in rows}
        for asked in self.asked:
            row, times = known[asked.command], typed[asked.number]
            assert row["results"] == [row["attempt"]], f"exactly one result, of the attempt that ended it: {row}"
            assert times <= 1, f"typed {times} times: {row}"
            if asked.kind != "session for a moment" and row["status"] == "completed":
                assert times == 1, f"done without having been typed: {row}"
        assert len({asked.command for asked in self.asked}) == len(self.asked), "each wish is one command"
        assert set(typed) <= {asked.number for asked in self.asked}
        assert self.accepted == [], f"stale writes that were accepted: {self.accepted}"
        return Counter(known[asked.command]["status"] for asked in self.asked)
