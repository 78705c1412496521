"""The custom access token hook: a function of the project changes what a token says, or refuses it, as at Supabase."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
import pytest_asyncio
from supabase_auth.errors import AuthError

from local_supabase.auth.hooks import AccessTokenHook, hook_of
from local_supabase.errors import EmbeddedError
from tests.support.embedded import SUPABASE, EmbeddedPostgres
from tests.support.gateway import Project, running_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSWORD = "correct horse"
BODIES = {
    "shorter": "return jsonb_set(event, '{claims,exp}', to_jsonb((event #>> '{claims,iat}')::bigint + 7))",
    "refuses": """return '{"error":{"http_code":403,"message":"not you"}}'""",
    "fails": "return 1 / 0",
    "forgets": "return event #- '{claims,sub}'",
    "says nothing": "return null",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Project]:
    async with running_project(embedded_postgres, hook=True) as project:
        service = await project.service_role()
        await service.auth.admin.create_user({"email": "ann@example.org", "password": PASSWORD, "email_confirm": True})
        yield project


async def signing_in(project: Project, body: str) -> Any:
    """What Auth says while the hook is so."""
    async with await psycopg.AsyncConnection.connect(project.database.dsn_for("postgres"), autocommit=True) as database:
        hook = f"""create or replace function client_access_token(event jsonb) returns jsonb language plpgsql as $$
                   begin {body}; end $$"""
        await database.execute(hook.encode())
    client = await project.anon()
    return await client.auth.sign_in_with_password({"email": "ann@example.org", "password": PASSWORD})


async def test_it_decides_how_long_a_token_lives_whatever_expires_in_says(project: Project) -> None:
    session = (await signing_in(project, BODIES["shorter"])).session
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7
    assert session.expires_in == 3600


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("refuses", "not you"),
        ("fails", "Error running hook"),
        ("forgets", "sub is required"),
        ("says nothing", "aal is"),
    ],
)
async def test_without_its_word_there_is_no_token(project: Project, body: str, words: str) -> None:
    with pytest.raises(AuthError, match=words):
        await signing_in(project, BODIES[body])


async def test_config_toml_names_it_as_for_the_official_cli(tmp_path: Path) -> None:
    assert hook_of(SUPABASE) == AccessTokenHook("public", "client_access_token")
    assert hook_of(tmp_path) is None
    config = tmp_path / "config.toml"
    config.write_text('[auth.hook.custom_access_token]\nenabled = false\nuri = "x"\n')
    assert hook_of(tmp_path) is None
    config.write_text('[auth.hook.custom_access_token]\nenabled = true\nuri = "https://hooks.example/token"\n')
    with pytest.raises(EmbeddedError, match="pg-functions"):
        hook_of(tmp_path)
