"""A client that holds a prompt, and all that a refused write must leave as it was."""

from uuid import UUID

from tests.integration.database.world import Client, Row, World


async def everything(world: World) -> list[list[Row]]:
    tables = ("agent_commands", "agent_command_results", "agent_sessions", "session_turns", "session_output",
              "session_events", "remote_clients", "approvals", "realtime.messages")  # fmt: skip
    return [await world.owner.ask(f"select * from {table} order by 1, 2") for table in tables]  # noqa: S608  our own names


async def a_held_prompt(world: World) -> tuple[Client, Row, UUID]:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office)
    (command,) = await client.claim()
    return client, command, session
