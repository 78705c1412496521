"""An office with a row in each of the tables that only functions write, and everybody there is around it."""

import uuid
from dataclasses import dataclass
from uuid import UUID

from tests.integration.database.world import Caller, Client, Row, World


@dataclass
class FullOffice:
    """`command` is held by `client`, in `session`, amid `turn`; an earlier one was completed there."""

    office: UUID
    client: Client
    command: Row
    session: UUID
    turn: UUID
    approval: UUID
    """One that `turn` waits for."""
    answered: UUID
    """Another one, which was denied."""
    elsewhere: UUID
    """A client of another office."""
    owner: Caller
    callers: dict[str, Caller]


async def full_office(world: World) -> FullOffice:
    await world.owner.ask("delete from agent_personas where office_id is null and role <> 'BE'")
    office, other = await world.office(), await world.office()
    client, second, revoked = await world.client(office), await world.client(office), await world.client(office)
    elsewhere = await world.client(other)
    await world.service.call("revoke_client", p_client=revoked.id)
    await world.owner.insert("agent_personas", office_id=office, role="Singer", name="S", persona_prompt="Sing.")
    await world.prompt(office)
    (first,) = await client.claim()
    session = await client.open_session(office, first)
    await client.call("append_output", p_chunks=[{"session_id": str(session), "start": 0, "end": 1, "text": "x"}])
    await client.call(
        "record_events", p_events=[{"office_id": str(office), "session_id": str(session), "kind": "note"}]
    )
    await client.complete(first)
    await client.open_circuit(office, "Singer")
    await world.prompt(office, session)
    (command,) = await client.claim()
    turn = uuid.uuid4()
    await client.typed(command, session, turn)
    approval = await client.ask_approval(command, session, turn)
    answered = await client.ask_approval(command, session, turn)
    await world.service.call("answer_approval", p_approval=answered, p_status="denied")
    callers = {role: await world.member(office, role) for role in ("viewer", "operator", "admin")}
    callers |= {
        "stranger": await world.user(),
        "admin elsewhere": await world.member(other, "admin"),
        "own client": client.caller,
        "another client": second.caller,
        "revoked client": revoked.caller,
        "client elsewhere": elsewhere.caller,
        "anon": world.anon,
        "service": world.service,
    }
    return FullOffice(office, client, command, session, turn, approval, answered, elsewhere.id, world.owner, callers)
