"""Makes the first office of a Supabase project, and the token that opens it; neither can be asked for over the API."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from local_supabase.files import write_private
from office_server.acting import Actor, act_for
from office_server.backend import open_backend
from office_server.settings import OfficeSettings
from office_server.tokens import hash_of, mint
from semo.problems import Exit, SemoError
from shared.errors import OfficeError
from shared.states import MemberRole


@dataclass(frozen=True, repr=False)
class OfficeAccess:
    """An office and a token that may do everything with the server. Has no `repr`: it holds a secret."""

    office_id: str
    office_name: str
    token: str


async def init_office(supabase_url: str, service_role_key: str, name: str) -> OfficeAccess:
    """Makes an office called `name`, and a token for all offices with the role admin.

    Raises:
        SemoError: Supabase does not answer, its migrations are missing, or the name is taken.
    """
    act_for(Actor("semo"))
    try:
        async with open_backend(supabase_url, service_role_key) as backend:
            office = await backend.offices.add({"name": name})
            minted = await mint(backend, name="first", role=MemberRole.ADMIN, office=None, created_by="semo")
    except OfficeError as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.UNREACHABLE) from error
    return OfficeAccess(str(office.id), office.name, minted.secret)


async def init_office_from_settings(name: str) -> OfficeAccess:
    """The same in the project that the environment or .env names.

    Raises:
        SemoError: also when they do not name one.
    """
    try:
        settings = OfficeSettings()  # pyright: ignore[reportCallIssue] - from the environment
    except ValidationError as error:
        missing = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        raise SemoError(f"not (rightly) set: {missing}", do="see .env.example", exit_code=Exit.USAGE) from error
    return await init_office(str(settings.supabase_url).rstrip("/"), settings.service_role_key.get_secret_value(), name)


async def ensure_office(supabase_url: str, service_role_key: str, file: Path) -> OfficeAccess:
    """The office that `file` remembers, or a new one called "local", remembered there (mode 0600)."""
    if file.exists():
        access = OfficeAccess(**json.loads(file.read_bytes()))
        if await _still_opens(supabase_url, service_role_key, access):
            return access
    access = await init_office(supabase_url, service_role_key, "local")
    write_private(file, json.dumps(asdict(access)).encode())
    return access


async def _still_opens(supabase_url: str, service_role_key: str, access: OfficeAccess) -> bool:
    async with open_backend(supabase_url, service_role_key) as backend:
        return await backend.tokens.find(hash_of(access.token)) is not None
