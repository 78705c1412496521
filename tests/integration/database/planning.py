"""Words for plans and jobs in the database's tests: plans from a few words, an office that schedules, its machine.

Asserts nothing.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.integration.database.world import Caller, Client, Row, World


def job(name: str, *depends_on: str, **more: Any) -> Row:
    """A job of the role BE, unless it is in a lane."""
    role: Row = {} if "lane" in more else {"role": "BE"}
    return {"name": name, "prompt": f"do {name}", "depends_on": list(depends_on)} | role | more


def lane(name: str, **more: Any) -> Row:
    return {"name": name, "role": "BE", "task": name} | more


def plan(*jobs: Row, **more: Any) -> Row:
    """A graph whose tries follow each other without a pause."""
    return {"name": "a plan", "kind": "graph", "backoff_s": [0], "jobs": list(jobs)} | more


@dataclass
class Office:
    """An office with one machine, whose scheduler runs when it is told to."""

    world: World
    id: UUID
    client: Client
    service: Caller
    failing_rounds: int = 0
    """How often its machine finds that nothing of what must hold does; after that, all of it holds."""

    @classmethod
    async def open(cls, world: World, running: int = 100, **limits: Any) -> "Office":
        office = await world.office(session_limit=100)
        opened = cls(world, office, await world.client(office, capacity=100), world.service)
        await opened.limit(running, **limits)
        return opened

    async def limit(self, running: int | None = None, **roles: int) -> None:
        await self.call("set_job_limits", p_office=self.id, p_running=running, p_roles=roles or None)

    async def call(self, function: str, **arguments: object) -> Any:
        return await self.service.call(function, **arguments)

    async def make(self, wanted: Row, key: str | None = None, digest: str | None = None) -> UUID:
        return await self.call(
            "create_plan", p_office=self.id, p_plan=wanted, p_author="token:test", p_key=key, p_digest=digest
        )

    async def schedule(self) -> Row:
        return await self.call("run_schedule", p_office=self.id)

    async def job(self, name: str, **columns: Any) -> Row:
        [found] = await self.world.owner.ask(
            "select * from jobs where office_id = %s and name = %s order by seq desc limit 1", self.id, name
        )
        return found

    async def why(self, name: str) -> str | None:
        """Why a job waits, in words."""
        return (await self.call("job_state", p_job=(await self.job(name))["id"]))["waiting_reason"]

    async def statuses(self, of: UUID) -> dict[str, str]:
        """Job → status."""
        rows = await self.world.owner.ask(
            "select name, status::text from jobs where plan_id = %s and office_id = %s order by seq", of, self.id
        )
        return {row["name"]: row["status"] for row in rows}

    async def plan_status(self, of: UUID) -> str:
        return await self.world.owner.value("select status::text from plans where id = %s", of)

    async def in_work(self) -> set[str]:
        rows = await self.world.owner.ask("select name from jobs where office_id = %s and status = 'running'", self.id)
        return {row["name"] for row in rows}

    async def command_of(self, name: str) -> Row:
        """The command that the latest execution of a job waits for."""
        [found] = await self.world.owner.ask(
            """select c.* from jobs j join executions e on e.id = j.execution_id
               join agent_commands c on c.id = coalesce(e.command_id, e.session_command_id)
               where j.office_id = %s and j.name = %s order by j.seq desc limit 1""",
            self.id, name,
        )  # fmt: skip
        return found

    async def take(self) -> list[Row]:
        """The machine takes all that it may, and makes the sessions that are asked for; returns the prompts it took."""
        prompts: list[Row] = []
        while claimed := await self.client.claim(50):
            for command in claimed:
                if command["command_type"] == "create_session":
                    session = await self.client.open_session(self.id, command)
                    await self.client.complete(command, p_result={"session_id": str(session)})
                elif command["command_type"] == "terminate":
                    await self.client.complete(command, p_session_status="terminated")
                elif command["command_type"] == "check_work":
                    await self.look(command)
                elif command["command_type"] == "send_prompt":
                    prompts.append(command)
                else:
                    await self.client.complete(command, p_result={})
            await self.schedule()
        return prompts

    async def look(self, command: Row, **more: Any) -> None:
        """The machine looks at what must hold in a worktree."""
        wanted, holds = command["payload"], self.failing_rounds <= 0
        self.failing_rounds -= 1
        found: list[Row] = [
            {
                "kind": "check",
                "name": name,
                "holds": holds,
                "known_by": "exit",
                "status": 0 if holds else 2,
                "tail": "boo",
            }
            for name in wanted.get("checks", [])
        ]
        for kind in ("must_change", "must_not_change"):
            files = [] if holds == (kind == "must_not_change") else ["a.py"]
            found += [
                {"kind": kind, "pattern": pattern, "holds": holds, "known_by": "git", "files": files}
                for pattern in wanted.get(kind, [])
            ]
        if "commit" in wanted:
            found.append(
                {"kind": "commit", "holds": holds, "known_by": "git", "commits": int(holds), "uncommitted": []}
            )
        await self.client.complete(command, p_result={"conditions": found, "holds": holds, **more})

    async def answer(self, prompt: Row, outcome: str = "done", *evidence: Row) -> None:
        """The machine says how a turn ended; the scheduler is not told."""
        result = {"outcome": outcome, "evidence": list(evidence)}
        if outcome == "done":
            await self.client.complete(prompt, p_result=result)
        else:
            await self.client.complete(
                prompt, success=False, p_result=result, p_error_code=f"turn_{outcome}", p_error="so it ended"
            )

    async def work(self, **outcomes: str) -> None:
        """Until nothing moves any more: every prompt is taken and answered, `done` unless a job is named."""
        await self.schedule()
        while prompts := await self.take():
            for prompt in prompts:
                name = await self.world.owner.value(
                    "select j.name from executions e join jobs j on j.id = e.job_id where e.id = %s",
                    prompt["execution_id"],
                )
                await self.answer(prompt, outcomes.get(name, "done"))
            await self.schedule()
