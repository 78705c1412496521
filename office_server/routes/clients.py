"""The machines of an office."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from office_server import unknown
from office_server.access import Access, Admin, Viewer
from office_server.routes.answers import Label
from office_server.rows import Client
from office_server.services import Services, ServicesDep
from shared.ids import ClientId
from shared.states import ConnectionState

router = APIRouter(prefix="/api/offices/{office_id}/clients", tags=["clients"])
_ONLINE_WITHIN = timedelta(seconds=30)  # as semo.is_online has it


class ClientState(Client):
    online: bool = Field(description="it was heard of within 30 s, has not signed off, and is not revoked")
    connection: ConnectionState = Field(  # pyright: ignore[reportIncompatibleVariableOverride]  known here, also when not told
        description="live: hints reach it at once, proven every few seconds; polling: it looks for commands by itself"
    )
    connection_since: datetime | None = Field(description="offline: when it was heard of last; null: never")


class ClientList(BaseModel):
    clients: list[ClientState]


class ClientChange(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "macbook-3"}]})

    name: Label


@router.get("")
async def list_clients(access: Viewer, services: ServicesDep) -> ClientList:
    found = await services.backend.clients.of_office(access.office.id)
    return ClientList(clients=[_state(client) for client in found])


@router.patch("/{client_id}")
async def rename_client(access: Admin, services: ServicesDep, client_id: ClientId, body: ClientChange) -> ClientState:
    await _must_be_here(services, access, client_id)
    return _state(await services.backend.clients.rename(client_id, body.name))


@router.delete("/{client_id}", status_code=204)
async def revoke_client(access: Admin, services: ServicesDep, client_id: ClientId) -> None:
    """Shuts the machine out for good; one that also serves other offices only leaves this one."""
    await _must_be_here(services, access, client_id)
    if await services.backend.clients.offices_of(client_id) == {access.office.id}:
        await services.backend.clients.revoke(client_id)
    else:
        await services.backend.clients.leave(client_id, access.office.id)


async def _must_be_here(services: Services, access: Access, client: ClientId) -> None:
    if access.office.id not in await services.backend.clients.offices_of(client):
        raise unknown.client(access.office.id, client)


def _state(client: Client) -> ClientState:
    seen = client.last_seen_at
    gone = client.revoked_at is not None or client.signed_off_at is not None
    online = not gone and seen is not None and datetime.now(UTC) - seen < _ONLINE_WITHIN
    connection, since = client.connection or ConnectionState.POLLING, client.connection_since or client.registered_at
    if not online:
        connection, since = ConnectionState.OFFLINE, client.signed_off_at or seen
    known = {"online": online, "connection": connection, "connection_since": since}
    return ClientState.model_validate(client.model_dump() | known)
