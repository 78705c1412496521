"""Who this machine is to its office: one private file in the state folder. Never holds a service key."""

import os
import secrets
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer

from shared.errors import ClientRevoked, InvalidPayload, NotFound
from shared.folders import private_folder
from shared.ids import ClientId, OfficeId

_FILE = "credentials.json"


class JoinedOffice(BaseModel):
    model_config = ConfigDict(frozen=True)

    office_id: OfficeId
    name: str


class Credentials(BaseModel):
    """What signing in takes. The password does not show in `repr`."""

    model_config = ConfigDict(frozen=True)

    supabase_url: str
    publishable_key: str
    email: str
    password: SecretStr
    client_id: ClientId
    offices: list[JoinedOffice] = Field(default_factory=list[JoinedOffice])
    office_url: str | None = None
    """Of the office server that let it in."""
    revoked_at: AwareDatetime | None = None
    """When this machine learned that it was shut out; it does not ask again."""

    def require_not_revoked(self) -> None:
        """
        Raises:
            ClientRevoked: what is here is good for nothing any more.
        """
        if self.revoked_at is not None:
            raise ClientRevoked(
                f"this machine was revoked; it learned so on {self.revoked_at:%Y-%m-%d at %H:%M UTC}",
                advice="ask an admin of the office for a new code, then: semo client join CODE",
            )

    @field_serializer("password")
    def _reveal(self, password: SecretStr) -> str:
        return password.get_secret_value()


def save(credentials: Credentials, state: Path) -> None:
    """Writes them whole or not at all, readable by their owner alone.

    Raises:
        ForeignFolder: `state` is no folder of ours.
    """
    private_folder(state, option="--state")
    draft = state / f".{_FILE}.{secrets.token_hex(4)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(credentials.model_dump_json(indent=2))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(state / _FILE)


def load(state: Path) -> Credentials:
    """
    Raises:
        NotFound: this machine has not joined an office.
        InvalidPayload: the file is damaged.
    """
    path = state / _FILE
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(
            f"this machine has not joined an office: there is no {path}",
            advice="ask an admin of the office for a code, then: semo client join CODE",
        ) from None
    except ValidationError as error:
        fields = ", ".join(str(problem["loc"][0]) if problem["loc"] else "JSON" for problem in error.errors())
        raise InvalidPayload(
            f"{path} is damaged ({fields})", advice="join the office again with a new code: semo client join CODE"
        ) from None
