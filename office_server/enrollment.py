"""Lets machines in: an admin gets a short one-time code, the machine spends it for a user of its own.

A machine that has a user already shows who it is, and joins a further office with it.
"""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from office_server.backend import Backend
from office_server.once import SECRET_BYTES, used_for_something_else
from office_server.rows import Office
from shared.errors import Conflict, OfficeError
from shared.ids import ClientId, OfficeId

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no 0 O, 1 I L, U V apart: read aloud and typed without doubt
_LENGTH = 8
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, repr=False)
class Code:
    """A new code, to be shown once."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, repr=False)
class NewUser:
    """What a machine signs in with from now on. The password is kept nowhere else."""

    email: str
    password: str


@dataclass(frozen=True, repr=False)
class JoinedClient:
    """`user` is None for a machine that had one."""

    client_id: ClientId
    office: Office
    user: NewUser | None


class Enrollment:
    def __init__(self, backend: Backend) -> None:
        self._clients = backend.clients
        self._offices = backend.offices

    async def invite(
        self, office: OfficeId, author: str, secret: bytes | None = None, idempotency_key: str | None = None
    ) -> Code:
        """A code that lets one machine into the office within ten minutes.

        With an `idempotency_key`, asking again gives the same code, good or spent; `secret` must be the same, too.

        Raises:
            Conflict: the key was used with another secret.
        """
        letters = _letters(secret or secrets.token_bytes(SECRET_BYTES))
        fields = {
            "office_id": str(office), "code_hash": hash_of(letters), "created_by": author,
            "idempotency_key": idempotency_key,
        }  # fmt: skip
        try:
            expires_at = await self._clients.add_enrollment(fields)
        except Conflict:
            if idempotency_key is None:
                raise
            made = await self._clients.expiry_of_code(office, hash_of(letters))
            if made is None:
                raise used_for_something_else() from None
            expires_at = made
        return Code(f"{letters[:4]}-{letters[4:]}", expires_at)

    async def join(self, code: str, name: str) -> JoinedClient:
        """Spends a code. Either the machine is in afterwards, or there is no user and the code is as it was.

        Raises:
            BadEnrollmentCode: wrong, used or too old.
            BackendDown: Supabase does not answer.
        """
        code_hash = hash_of(code)
        office = await self._offices.get(await self._clients.office_of_code(code_hash))
        client = ClientId(uuid4())
        email = f"client-{client}@clients.semo.invalid"
        password = secrets.token_urlsafe(32)
        user = await self._clients.create_user(email, password, client)
        try:
            await self._clients.redeem(code_hash, client, user, name)
        except OfficeError:
            await self._remove(user)
            raise
        return JoinedClient(client, office, NewUser(email, password))

    async def join_further(self, code: str, name: str, access_token: str) -> JoinedClient:
        """Spends a code for the machine that signed in for that token of Supabase Auth; it keeps its name and user.

        Raises:
            BadEnrollmentCode: wrong, used or too old.
            Unauthenticated: the token is no machine's of this project.
            BackendDown: Supabase does not answer.
        """
        code_hash = hash_of(code)
        office = await self._offices.get(await self._clients.office_of_code(code_hash))
        client, user = await self._clients.whose(access_token)
        await self._clients.redeem(code_hash, client, user, name)
        return JoinedClient(client, office, None)

    async def _remove(self, user: UUID) -> None:
        with suppress(OfficeError):
            await self._clients.delete_user(user)
            return
        _log.warning("enrollment_left_a_user_behind", user=str(user))


def _letters(secret: bytes) -> str:
    """As good as random ones: 256 bits are so many more than a code holds that no letter comes more often."""
    number, letters = int.from_bytes(secret), ""
    for _ in range(_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        letters += ALPHABET[place]
    return letters


def hash_of(code: str) -> str:
    """What the database keeps of a code. Case, spaces and dashes do not matter."""
    letters = "".join(letter for letter in code.upper() if letter.isascii() and letter.isalnum())
    return hashlib.sha256(letters.encode()).hexdigest()
