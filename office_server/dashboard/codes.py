"""One-time codes that sign a browser in, so that no token has to be copied into it."""

import secrets
from datetime import datetime

from pydantic import BaseModel, Field

from office_server.enrollment import ALPHABET, hash_of
from office_server.services import Services

_LENGTH = 8


class SignInCode(BaseModel):
    code: str = Field(examples=["7KQ2-M9FD"], description="shown this once; signs one browser in")
    expires_at: datetime


async def make(services: Services, person: str) -> SignInCode:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(_LENGTH))
    expires_at = await services.backend.pages.add_sign_in_code(hash_of(letters), person)
    return SignInCode(code=f"{letters[:4]}-{letters[4:]}", expires_at=expires_at)
