"""`/auth/v1` through the unmodified official client: users, sessions, and GoTrue's errors."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from supabase import AsyncClient
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project, running_project

EMAIL, PASSWORD = "Ann@Example.org", "correct horse"


@pytest.fixture
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncGenerator[Project]:
    async with running_project(embedded_postgres, migrated=False) as project:
        yield project


@pytest.fixture
async def service(project: Project) -> AsyncClient:
    return await project.service_role()


async def make_ann(service: AsyncClient, **attributes: Any) -> str:
    attributes = {"email": EMAIL, "password": PASSWORD, "email_confirm": True, **attributes}
    return (await service.auth.admin.create_user(attributes)).user.id  # pyright: ignore[reportArgumentType]


async def test_a_user_made_by_the_service_role_signs_in_and_the_database_knows_them(
    project: Project, service: AsyncClient
) -> None:
    user_id = await make_ann(service, app_metadata={"client_id": "c1"}, user_metadata={"name": "Ann"})
    client = await project.anon()
    signed_in = await client.auth.sign_in_with_password({"email": EMAIL.lower(), "password": PASSWORD})
    assert signed_in.session is not None
    assert signed_in.user is not None
    claims = jwt.decode(
        signed_in.session.access_token, project.keys.jwt_secret, algorithms=["HS256"], audience="authenticated"
    )
    expected = {"sub": user_id, "role": "authenticated", "email": EMAIL.lower(), "user_metadata": {"name": "Ann"}}
    assert claims.items() >= expected.items()
    assert claims["app_metadata"] == {"provider": "email", "providers": ["email"], "client_id": "c1"}
    assert claims["exp"] - claims["iat"] == signed_in.session.expires_in == 3600
    assert claims["session_id"]
    got = await client.auth.get_user()
    assert got is not None
    assert (got.user.id, got.user.email, got.user.role) == (user_id, EMAIL.lower(), "authenticated")
    assert got.user.identities is not None
    assert got.user.identities[0].provider == "email"


async def test_a_wrong_password_and_an_unknown_user_are_told_alike(project: Project, service: AsyncClient) -> None:
    await make_ann(service)
    client = await project.anon()
    for email, password in ((EMAIL, "wrong"), ("nobody@example.org", PASSWORD)):
        with pytest.raises(AuthApiError) as refused:
            await client.auth.sign_in_with_password({"email": email, "password": password})
        assert (refused.value.status, refused.value.code) == (400, "invalid_credentials")
        assert refused.value.message == "Invalid login credentials"


async def test_an_unconfirmed_or_banned_user_cannot_sign_in(project: Project, service: AsyncClient) -> None:
    user_id = await make_ann(service, email_confirm=False)
    client = await project.anon()
    assert await refused_sign_in(client) == "email_not_confirmed"
    await service.auth.admin.update_user_by_id(user_id, {"email_confirm": True, "ban_duration": "24h"})
    assert await refused_sign_in(client) == "user_banned"
    await service.auth.admin.update_user_by_id(user_id, {"ban_duration": "none"})
    await client.auth.sign_in_with_password({"email": EMAIL, "password": PASSWORD})


async def refused_sign_in(client: AsyncClient) -> str | None:
    with pytest.raises(AuthApiError) as refused:
        await client.auth.sign_in_with_password({"email": EMAIL, "password": PASSWORD})
    return refused.value.code


async def test_a_refresh_gives_new_tokens_for_the_same_session(project: Project, service: AsyncClient) -> None:
    await make_ann(service)
    client = await project.signed_in(EMAIL, PASSWORD)
    before = await client.auth.get_session()
    after = (await client.auth.refresh_session()).session
    assert before is not None
    assert after is not None
    assert after.refresh_token != before.refresh_token
    assert session_of(after.access_token) == session_of(before.access_token)


async def test_an_answer_that_got_lost_can_be_had_again(project: Project, service: AsyncClient) -> None:
    await make_ann(service)
    first = await session(project)
    second = await refresh(project, first["refresh_token"])
    again = await refresh(project, first["refresh_token"])
    assert again.json()["refresh_token"] == second.json()["refresh_token"]


async def test_a_used_refresh_token_that_comes_back_late_ends_the_session(
    project: Project, service: AsyncClient
) -> None:
    await make_ann(service)
    first = await session(project)
    second = (await refresh(project, first["refresh_token"])).json()
    third = (await refresh(project, second["refresh_token"])).json()
    await rewind(project, "update auth.refresh_tokens set updated_at = now() - interval '1 minute'")
    reused = await refresh(project, first["refresh_token"])
    assert (reused.status_code, reused.json()["error_code"]) == (400, "refresh_token_already_used")
    ended = await refresh(project, third["refresh_token"])
    assert (ended.status_code, ended.json()["error_code"]) == (400, "refresh_token_already_used")


async def test_a_refresh_token_that_nobody_gave_out_is_refused_in_both_forms(project: Project) -> None:
    old = await refresh(project, "made up")
    message = "Invalid Refresh Token: Refresh Token Not Found"
    assert old.json() == {"code": 400, "error_code": "refresh_token_not_found", "msg": message}
    new = await refresh(project, "made up", {"X-Supabase-Api-Version": "2024-01-01"})
    assert new.json() == {"code": "refresh_token_not_found", "message": message}


async def test_signing_out_ends_the_session_at_once(project: Project, service: AsyncClient) -> None:
    await make_ann(service)
    client, other = await project.signed_in(EMAIL, PASSWORD), await project.signed_in(EMAIL, PASSWORD)
    tokens = [
        found.access_token for found in [await client.auth.get_session(), await other.auth.get_session()] if found
    ]
    await client.auth.sign_out({"scope": "local"})
    with pytest.raises(AuthApiError) as refused:
        await client.auth.get_user(tokens[0])
    assert (refused.value.status, refused.value.code) == (403, "session_not_found")
    assert await other.auth.get_user(tokens[1]) is not None
    await other.auth.sign_out()
    with pytest.raises(AuthApiError):
        await other.auth.get_user(tokens[1])


async def test_the_service_role_lists_changes_and_deletes_users(project: Project, service: AsyncClient) -> None:
    admin = service.auth.admin
    user_id = await make_ann(service, user_metadata={"name": "Ann", "old": 1})
    await admin.create_user({"email": "bob@example.org"})
    assert {user.email for user in await admin.list_users()} == {"ann@example.org", "bob@example.org"}
    assert len(await admin.list_users(page=2, per_page=1)) == 1
    changed = await admin.update_user_by_id(
        user_id, {"password": "another one", "user_metadata": {"old": None, "x": 2}, "app_metadata": {"client_id": "c"}}
    )
    assert changed.user.user_metadata == {"name": "Ann", "x": 2}
    assert changed.user.app_metadata["client_id"] == "c"
    await project.signed_in(EMAIL, "another one")
    assert (await admin.get_user_by_id(user_id)).user.last_sign_in_at is not None
    await admin.delete_user(user_id)
    for refused_call in (admin.get_user_by_id(user_id), admin.delete_user(user_id)):
        with pytest.raises(AuthApiError) as refused:
            await refused_call
        assert (refused.value.status, refused.value.code) == (404, "user_not_found")
    assert await refused_sign_in(await project.anon()) == "invalid_credentials"


async def test_a_deleted_user_is_signed_out(project: Project, service: AsyncClient) -> None:
    user_id = await make_ann(service)
    tokens = await session(project)
    await service.auth.admin.delete_user(user_id)
    assert (await refresh(project, tokens["refresh_token"])).json()["error_code"] == "refresh_token_not_found"


async def test_bad_users_are_refused_with_the_reason(service: AsyncClient) -> None:
    admin = service.auth.admin
    await make_ann(service)
    cases = [
        ({"email": EMAIL, "password": PASSWORD}, 422, "email_exists"),
        ({"password": PASSWORD}, 400, "validation_failed"),
        ({"email": "no address", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": "c@d.e", "phone": "123"}, 501, "not_implemented"),
    ]
    for attributes, status, code in cases:
        with pytest.raises(AuthApiError) as refused:
            await admin.create_user(attributes)  # pyright: ignore[reportArgumentType]
        assert (refused.value.status, refused.value.code) == (status, code), attributes
    with pytest.raises(AuthWeakPasswordError) as weak:
        await admin.create_user({"email": "c@d.e", "password": "short"})
    assert weak.value.reasons == ["length"]


async def test_only_the_service_role_administers(project: Project, service: AsyncClient) -> None:
    await make_ann(service)
    ann = await project.signed_in(EMAIL, PASSWORD)
    for token in (project.keys.publishable_key, await token_of(ann)):
        answer = await ask(project, "GET", "/admin/users", token=token)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "not_admin")
    forged = jwt.encode({"role": "service_role"}, "another secret of enough length....", algorithm="HS256")
    answer = await ask(project, "GET", "/admin/users", token=forged)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "bad_jwt")


async def test_what_is_not_served_says_so(project: Project) -> None:
    for method, path in (("POST", "/signup"), ("POST", "/otp"), ("GET", "/authorize"), ("POST", "/token?grant_type=x")):
        answer = await ask(project, method, path, json={})
        assert (answer.status_code, answer.json()["error_code"]) == (501, "not_implemented"), path
    assert (await ask(project, "POST", "/token?grant_type=password", content=b"{")).json()["error_code"] == "bad_json"
    assert (await ask(project, "GET", "/health")).json()["name"] == "GoTrue"
    assert (await ask(project, "GET", "/settings")).json()["disable_signup"] is True


async def test_a_token_that_ran_out_is_refused_by_rest_and_renewed_by_a_refresh(
    embedded_postgres: EmbeddedPostgres,
) -> None:
    async with running_project(embedded_postgres, migrated=False, token_seconds=-1) as project:
        await make_ann(await project.service_role())
        tokens = await session(project)
        headers = {"apikey": project.keys.publishable_key, "Authorization": f"Bearer {tokens['access_token']}"}
        answer = await project.http.get(f"{project.url}/rest/v1/anything", headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (401, "PGRST303", "JWT expired")
        assert (await refresh(project, tokens["refresh_token"])).status_code == 200


async def token_of(client: AsyncClient) -> str:
    found = await client.auth.get_session()
    assert found is not None
    return found.access_token


def session_of(token: str) -> str:
    return jwt.decode(token, options={"verify_signature": False})["session_id"]


async def session(project: Project) -> dict[str, Any]:
    credentials = {"email": EMAIL, "password": PASSWORD}
    return (await ask(project, "POST", "/token?grant_type=password", json=credentials)).json()


async def refresh(project: Project, token: str, headers: dict[str, str] | None = None) -> httpx.Response:
    path = "/token?grant_type=refresh_token"
    return await ask(project, "POST", path, json={"refresh_token": token}, headers=headers)


async def ask(
    project: Project, method: str, path: str, *, token: str | None = None, headers: dict[str, str] | None = None,
    **options: Any,
) -> httpx.Response:  # fmt: skip
    key = project.keys.publishable_key
    headers = {"apikey": key, "Authorization": f"Bearer {token or key}", **(headers or {})}
    return await project.http.request(method, f"{project.url}/auth/v1{path}", headers=headers, **options)


async def rewind(project: Project, statement: str) -> None:
    dsn = project.database.dsn_for("supabase_admin")
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute(statement.encode())
