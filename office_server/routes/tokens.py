"""Tokens of one office."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from office_server import unknown
from office_server.access import Admin
from office_server.routes.answers import IdempotencyKey, Label
from office_server.rows import Token
from office_server.services import ServicesDep
from office_server.tokens import mint
from shared.states import MemberRole

router = APIRouter(prefix="/api/offices/{office_id}/tokens", tags=["tokens"])


class NewToken(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "ci", "role": "operator"}]})

    name: Label
    role: MemberRole
    expires_at: AwareDatetime | None = None


class TokenOnce(Token):
    secret: str = Field(description="shown this once", examples=["semo_…"])


class TokenList(BaseModel):
    tokens: list[Token]


@router.post("", status_code=201)
async def create_token(access: Admin, services: ServicesDep, body: NewToken, key: IdempotencyKey = None) -> TokenOnce:
    """Makes a token for this office. Asking again with the same key shows the same secret again."""
    minted = await mint(
        services.backend,
        name=body.name,
        role=body.role,
        office=access.office.id,
        created_by=access.author,
        expires_at=body.expires_at,
        secret_bytes=services.once.secret("token", access.office.id, key),
        idempotency_key=key,
    )
    return TokenOnce(**dict(minted.token), secret=minted.secret)


@router.get("")
async def list_tokens(access: Admin, services: ServicesDep) -> TokenList:
    return TokenList(tokens=await services.backend.tokens.of_office(access.office.id))


@router.delete("/{token_id}", status_code=204)
async def revoke_token(access: Admin, services: ServicesDep, token_id: UUID) -> None:
    """Takes effect at once."""
    if not await services.backend.tokens.revoke(access.office.id, token_id):
        raise unknown.token(access.office.id, token_id)
