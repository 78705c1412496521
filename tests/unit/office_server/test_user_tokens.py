"""People who signed in to Supabase Auth: whose tokens count, why others do not, and what an outage of its keys does."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from office_server.user_tokens import PublicKeys, UserTokens
from shared.errors import BackendDown, Unauthenticated

ISSUER = "https://x.supabase.co/auth/v1"
SECRET = "a-secret-that-is-long-enough-for-hs256-to-take-it"
USER = uuid4()
DAY_SECONDS = 86_400
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def public(key: Any, key_id: str) -> dict[str, Any]:
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": key_id}


def token(key: Any = SECRET, algorithm: str = "HS256", key_id: str | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": str(USER),
        "aud": "authenticated",
        "exp": now + DAY_SECONDS,  # the table of bad ones is made long before its last test
        "role": "authenticated",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": key_id} if key_id else None)


@dataclass
class Auth:
    """Publishes keys, or does not answer; and a clock that the test moves."""

    keys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    is_away: bool = False
    asked: int = 0
    now: float = 1000.0

    def tokens(self, secret: str | None = SECRET) -> UserTokens:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        return UserTokens(PublicKeys(http, "https://x/jwks", lambda: self.now), secret, ISSUER, "authenticated")

    def _answer(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(503) if self.is_away else httpx.Response(200, json={"keys": self.keys})


@pytest.mark.parametrize(
    ("key", "algorithm"), [(SECRET, "HS256"), (EC_KEY, "ES256"), (RSA_KEY, "RS256")], ids=["hs256", "es256", "rs256"]
)
async def test_a_person_is_known_by_a_token_of_each_kind(key: Any, algorithm: str):
    tokens = Auth([public(EC_KEY, "ES256"), public(RSA_KEY, "RS256")]).tokens()
    assert (await tokens.person(token(key, algorithm, algorithm))).id == USER


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (token(exp=int(time.time()) - 3600), "expired"),
        (token(aud="anon"), "another audience"),
        (token(iss="https://y.supabase.co/auth/v1"), "another project"),
        (token(sub=None), "it names no"),
        (token(sub="7"), "not signed by this project"),
        (token("another-secret-that-is-long-enough-for-hs256"), "not signed by this project"),
        (token(OTHER_EC_KEY, "ES256", "ec"), "not signed by this project"),
        (token(EC_KEY, "ES256", "unknown"), "does not have"),
        (token(EC_KEY, "ES256"), "not taken"),
        (token(RSA_KEY, "RS256", "ec"), "does not have"),
        (token(None, "none"), "not taken"),
        ("no.token.atall", "not valid"),
        ("", "not valid"),
    ],
    ids=lambda value: value if " " in value else "token",
)
async def test_each_other_token_is_refused_with_its_reason_and_is_never_shown(bad: str, words: str):
    tokens = Auth([public(EC_KEY, "ec")]).tokens()
    with pytest.raises(Unauthenticated, match=words) as refusal:
        await tokens.person(bad)
    assert not bad or bad not in str(refusal.value)
    assert refusal.value.advice


async def test_a_public_key_does_not_count_as_a_shared_secret():
    published = public(EC_KEY, "ec")["x"]
    with pytest.raises(Unauthenticated):
        await Auth([public(EC_KEY, "ec")]).tokens().person(token(published, "HS256", "ec"))


async def test_without_a_secret_only_signed_tokens_are_taken():
    tokens = Auth([public(EC_KEY, "ec")]).tokens(secret=None)
    with pytest.raises(Unauthenticated, match="shared secret"):
        await tokens.person(token())
    assert (await tokens.person(token(EC_KEY, "ES256", "ec"))).id == UUID(str(USER))


async def test_keys_are_fetched_once_and_again_for_a_new_one_but_not_for_every_unknown_one():
    auth = Auth([public(EC_KEY, "old")])
    tokens = auth.tokens()
    for _ in range(3):
        await tokens.person(token(EC_KEY, "ES256", "old"))
    assert auth.asked == 1
    auth.keys.append(public(OTHER_EC_KEY, "new"))
    auth.now += 6
    await tokens.person(token(OTHER_EC_KEY, "ES256", "new"))
    assert auth.asked == 2
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await tokens.person(token(EC_KEY, "ES256", f"invented {number}"))
    assert auth.asked == 2


async def test_a_key_that_was_withdrawn_counts_no_more_once_the_keys_are_old():
    auth = Auth([public(EC_KEY, "old")])
    tokens = auth.tokens()
    await tokens.person(token(EC_KEY, "ES256", "old"))
    auth.keys = []
    auth.now += 601
    with pytest.raises(Unauthenticated, match="does not have"):
        await tokens.person(token(EC_KEY, "ES256", "old"))


async def test_an_outage_is_borne_with_the_keys_that_are_known_and_said_for_others():
    auth = Auth([public(EC_KEY, "old")])
    tokens = auth.tokens()
    await tokens.person(token(EC_KEY, "ES256", "old"))
    auth.is_away = True
    auth.now += 601
    await tokens.person(token(EC_KEY, "ES256", "old"))
    with pytest.raises(BackendDown, match="keys of Supabase Auth"):
        await tokens.person(token(OTHER_EC_KEY, "ES256", "new"))
    auth.is_away = False
    auth.keys.append(public(OTHER_EC_KEY, "new"))
    auth.now += 6
    await tokens.person(token(OTHER_EC_KEY, "ES256", "new"))
