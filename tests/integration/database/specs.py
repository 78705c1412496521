"""Words for the tests of spec tasks: a task, brought as far as a test needs it."""

import uuid
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.integration.database.world import Client, Row, World

UNITS = [
    {"key": "1", "title": "Table", "role": "BE"},
    {"key": "2", "title": "Form", "role": "FE", "depends_on": ["1"]},
    {"key": "3", "title": "Docs"},
]


@dataclass
class SpecTask:
    world: World
    office: UUID
    id: UUID

    @classmethod
    async def new(cls, world: World, **wishes: object) -> "SpecTask":
        office = await world.office()
        row = await world.service.call_rows(
            "create_spec_task", p_office=office, p_name="login", p_title="Sign in", p_wishes=wishes, p_author="token:a"
        )
        return cls(world, office, row[0]["id"])

    @classmethod
    async def in_review(cls, world: World, units: list[Row] | None = None, **wishes: object) -> "SpecTask":
        task = await cls.new(world, **wishes)
        await task.call("start_spec_task")
        await task.planned(units)
        return task

    @classmethod
    async def approved(cls, world: World, units: list[Row] | None = None, **wishes: object) -> "SpecTask":
        task = await cls.in_review(world, units, **wishes)
        await task.call("approve_spec", p_version=1)
        return task

    async def call(self, function: str, **arguments: object) -> Any:
        return await self.world.service.call(function, p_task=self.id, **arguments)

    async def planned(self, units: list[Row] | None = None, text: str = "# Tasks\n- [ ] 1 Table\n") -> int:
        """The documents of the round that runs were read."""
        await self.to_its_end(f"planning-{(await self.row())['round']}")
        return await self.call(
            "spec_planned", p_round=(await self.row())["round"], p_commit="c0ffee",
            p_documents={"tasks.md": text}, p_units=units or UNITS,
        )  # fmt: skip

    async def row(self) -> Row:
        return (await self.world.owner.ask("select * from spec_tasks where id = %s", self.id))[0]

    async def status(self) -> str:
        return (await self.row())["status"]

    async def session(self, label: str) -> Row:
        query = "select * from spec_sessions where spec_task_id = %s and label = %s"
        return (await self.world.owner.ask(query, self.id, label))[0]

    async def states(self) -> dict[str, str]:
        query = "select label, status from spec_sessions where spec_task_id = %s and kind <> 'planning' order by label"
        return {row["label"]: row["status"] for row in await self.world.owner.ask(query, self.id)}

    async def events(self) -> list[str]:
        query = "select kind from coordination_events where spec_task_id = %s order by id"
        return [row["kind"] for row in await self.world.owner.ask(query, self.id)]

    async def of(self, label: str, function: str, **arguments: object) -> Any:
        session = await self.session(label)
        return await self.world.service.call(function, p_session=session["id"], p_try=session["tries"], **arguments)

    async def started(self, label: str, client: Client | None = None) -> UUID | None:
        """The session runs; in a terminal of `client`, whose session is returned."""
        job = await self.of(label, "spec_session_started", p_prompt="do it")
        if client is None:
            return None
        terminal = await client.open_session(self.office)
        query = "update plan_lanes set session_id = %s where id = (select lane_id from jobs where id = %s)"
        await self.world.owner.ask(query, terminal, job)
        return terminal

    async def worked(self, label: str) -> None:
        await self.of(label, "spec_session_worked", p_client=None, p_branch=f"agent/BE-login-{label}")

    async def to_its_end(self, label: str) -> None:
        await self.started(label)
        await self.worked(label)
        await self.of(label, "spec_session_merged", p_commit="c0ffee")


@dataclass
class Agent:
    """An agent in a session of a client, and what it asks of its office."""

    client: Client
    session: UUID

    async def asks(self, tool: str, *, call: UUID | None = None, **arguments: object) -> Row:
        return await self.client.call(
            "agent_call", p_session=self.session, p_call=call or uuid.uuid4(), p_tool=tool, p_arguments=arguments
        )
