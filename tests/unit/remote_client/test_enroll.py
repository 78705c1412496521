"""Joining an office: what is kept of its answer, and what is said when it has none or refuses."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import respx

from remote_client.credentials import load, save
from remote_client.enroll import join
from shared.errors import BackendDown, BadEnrollmentCode, Conflict, NotFound, OfficeError
from tests.support.heard_roads import HeardRoads

OFFICE = "http://office.example"
WELCOME = {
    "supabase_url": "http://supabase.example",
    "publishable_key": "publishable",
    "email": "client@clients.semo.invalid",
    "password": "a secret",
    "client_id": str(uuid4()),
    "office_id": str(uuid4()),
    "office_name": "acme/web",
}


@pytest.fixture
def desk(respx_mock: respx.MockRouter) -> respx.Route:
    """The office's own desk for newcomers."""
    return respx_mock.post(f"{OFFICE}/api/enroll")


def nothing_is_kept(state: Path) -> bool:
    try:
        load(state)
    except NotFound:
        return True
    return False


async def test_who_joins_is_known_from_then_on_and_the_secret_stays_private(desk: respx.Route, tmp_path: Path) -> None:
    desk.respond(200, json=WELCOME)

    joined = await join(f"{OFFICE}/", "7KQ2-M9FD", "macbook-3", tmp_path / "state")

    assert load(tmp_path / "state") == joined
    assert (str(joined.client_id), joined.offices[0].name) == (WELCOME["client_id"], "acme/web")
    assert joined.password.get_secret_value() == "a secret"
    assert "a secret" not in repr(joined)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()} == {0o600}
    assert httpx.Response(200, content=desk.calls.last.request.content).json() == {
        "code": "7KQ2-M9FD",
        "name": "macbook-3",
    }


async def test_a_bad_code_is_refused_with_the_words_and_the_advice_of_the_office(
    desk: respx.Route, tmp_path: Path
) -> None:
    problem = {"type": "urn:semo:problem:bad_enrollment_code", "detail": "It was used already.", "advice": "Ask again."}
    desk.respond(403, json=problem)

    with pytest.raises(BadEnrollmentCode) as refusal:
        await join(OFFICE, "7KQ2-M9FD", "macbook-3", tmp_path)

    assert (refusal.value.detail, refusal.value.advice) == ("It was used already.", "Ask again.")
    assert nothing_is_kept(tmp_path)


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.ReadTimeout("silence")])
async def test_an_office_that_is_away_is_told_from_one_that_refuses(
    desk: respx.Route, tmp_path: Path, trouble: httpx.HTTPError
) -> None:
    desk.mock(side_effect=trouble)

    with pytest.raises(BackendDown, match=f"{OFFICE} does not answer"):
        await join(OFFICE, "7KQ2-M9FD", "macbook-3", tmp_path)

    assert nothing_is_kept(tmp_path)


async def test_an_answer_that_no_office_gives_is_told_with_its_status(desk: respx.Route, tmp_path: Path) -> None:
    desk.respond(502, text="<html>Bad Gateway</html>")

    with pytest.raises(OfficeError, match="answered 502"):
        await join(OFFICE, "7KQ2-M9FD", "macbook-3", tmp_path)

    assert nothing_is_kept(tmp_path)


@pytest.fixture
def project(respx_mock: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> respx.MockRouter:
    """The Supabase project of the office, which lets this machine in."""
    monkeypatch.setattr("remote_client.supabase_calls.Roads", HeardRoads)
    token = jwt.encode({"iat": 1, "exp": 61}, "secret of thirty-two characters or so", algorithm="HS256")
    user: dict[str, Any] = {
        "id": str(uuid4()),
        "aud": "a",
        "app_metadata": {},
        "user_metadata": {},
        "created_at": "2026-11-21T10:00:00Z",
    }
    session: dict[str, Any] = {
        "access_token": token,
        "refresh_token": "r",
        "expires_in": 60,
        "token_type": "bearer",
        "user": user,
    }
    respx_mock.post("http://supabase.example/auth/v1/token").respond(200, json=session)
    respx_mock.post("http://supabase.example/auth/v1/logout").respond(204)
    return respx_mock


async def test_a_machine_that_serves_an_office_shows_who_it_is_and_keeps_its_user(
    desk: respx.Route, project: respx.MockRouter, tmp_path: Path
) -> None:
    desk.respond(200, json=WELCOME)
    first = await join(OFFICE, "7KQ2-M9FD", "macbook-3", tmp_path)
    assert "authorization" not in desk.calls.last.request.headers

    further = {"office_id": str(uuid4()), "office_name": "acme/api", "email": None, "password": None}
    desk.respond(200, json=WELCOME | further)
    both = await join(OFFICE, "2222-3333", "whatever", tmp_path)

    assert desk.calls.last.request.headers["authorization"].startswith("Bearer ey")
    assert [office.name for office in both.offices] == ["acme/web", "acme/api"]
    assert (both.client_id, both.password) == (first.client_id, first.password)
    assert load(tmp_path) == both


async def test_an_office_of_another_project_says_to_use_a_client_of_its_own(
    desk: respx.Route, project: respx.MockRouter, tmp_path: Path
) -> None:
    desk.respond(200, json=WELCOME)
    first = await join(OFFICE, "7KQ2-M9FD", "macbook-3", tmp_path)
    desk.respond(401, json={"type": "urn:semo:problem:unauthenticated", "detail": "That is the token of no machine."})
    with pytest.raises(Conflict, match="another Supabase project") as refusal:
        await join(OFFICE, "2222-3333", "macbook-3", tmp_path)
    assert "--state FOLDER" in (refusal.value.advice or "")
    assert load(tmp_path) == first


async def test_a_machine_that_was_revoked_joins_as_a_new_one(desk: respx.Route, tmp_path: Path) -> None:
    desk.respond(200, json=WELCOME)
    old = await join(OFFICE, "7KQ2-M9FD", "macbook-3", tmp_path)
    save(old.model_copy(update={"revoked_at": datetime(2026, 11, 21, tzinfo=UTC)}), tmp_path)

    desk.respond(200, json=WELCOME | {"client_id": str(uuid4())})
    new = await join(OFFICE, "2222-3333", "macbook-3", tmp_path)

    assert "authorization" not in desk.calls.last.request.headers
    assert (new.client_id != old.client_id, new.revoked_at) == (True, None)
