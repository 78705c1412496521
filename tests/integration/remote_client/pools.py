"""What the tests of pools share: a prompt that is done, and what the office says of a command that waits."""

from uuid import UUID

from tests.integration.remote_client.office import Office

DONE = "echo '[SEMO:DONE]'"
IDLE = "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null"


async def until_it_waits_because(office: Office, command_id: UUID, why: str) -> None:
    await office.until_true("select 1 where command_waiting_reason(%s)->>'reason' = %s", command_id, why)
