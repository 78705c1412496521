"""The machines of an office."""

from datetime import UTC, datetime, timedelta
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "macbook-3"}, {"draining": True}]}
    )

    name: Label | None = None
    draining: bool | None = Field(default=None, description="true: it takes no new work and finishes what it has")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.name is None and self.draining is None:
            raise ValueError("name or draining must be given")
        return self


@router.get("")
async def list_clients(access: Viewer, services: ServicesDep) -> ClientList:
    found = await services.backend.clients.of_office(access.office.id)
    return ClientList(clients=[_state(client) for client in found])


@router.patch("/{client_id}")
async def change_client(access: Admin, services: ServicesDep, client_id: ClientId, body: ClientChange) -> ClientState:
    """Renames a machine, or drains it, in every office that it serves."""
    await _must_be_here(services, access, client_id)
    clients = services.backend.clients
    if body.draining is not None:
        await clients.drain(client_id, body.draining)
    if body.name is not None:
        await clients.rename(client_id, body.name)
    changed = await clients.find(client_id)
    if changed is None:
        raise unknown.client(access.office.id, client_id)
    return _state(changed)


@router.delete("/{client_id}", status_code=204)
async def revoke_client(access: Admin, services: ServicesDep, client_id: ClientId) -> None:
    """Shuts the machine out for good; one that also serves other offices only leaves this one.

    At once in the tables, and at Realtime within a minute. What it held is resolved: prompts become `lost`, the rest is
    offered to others.
    """
    await _must_be_here(services, access, client_id)
    await services.backend.clients.remove(client_id, access.office.id)


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
