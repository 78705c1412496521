"""What the tests of pools ask of the database: why a command waits, and what a client takes."""

from uuid import UUID

from tests.integration.database.world import Client, Row, World

LOW: Row = {"reason": "low_memory", "free_mb": 300, "agents": {"shell": {"needed_mb": 517}}}


async def reason(world: World, command: Row) -> str | None:
    answer = await world.service.call("command_waiting_reason", p_command=command["id"])
    return answer and answer["reason"]


async def ids(client: Client, holding_back: Row | None = None) -> list[UUID]:
    return [command["id"] for command in await client.claim(p_holding_back=holding_back)]
