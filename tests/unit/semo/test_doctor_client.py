"""`semo doctor` of a client: each thing that can be wrong is found, with what to do about it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import respx
from pydantic import SecretStr

from remote_client.credentials import Credentials, JoinedOffice, save
from semo.doctor_client import client_findings
from semo.finding import Finding
from shared.ids import ClientId, OfficeId
from tests.support.heard_roads import HeardRoads

SUPABASE, OFFICE = "http://supabase.example", "http://office.example"
SEEN = "2026-11-21T10:00:00+00:00"


@pytest.fixture(autouse=True)
def _heard_by_respx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own connections go past it."""
    monkeypatch.setattr("remote_client.supabase_calls.Roads", HeardRoads)


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Makes the state folder of a client that has joined, and a policy."""

    def made(policy: str | None = None, **changes: Any) -> tuple[Path, Path]:
        known = Credentials(
            supabase_url=SUPABASE, publishable_key="publishable", email="c@clients.semo.invalid",
            password=SecretStr("secret"), client_id=ClientId(uuid4()), office_url=OFFICE,
            offices=[JoinedOffice(office_id=OfficeId(uuid4()), name="acme/web")],
        )  # fmt: skip
        save(known.model_copy(update=changes), tmp_path / "state")
        file = tmp_path / "policy.toml"
        file.write_text(policy or f'allowed_roots = ["{tmp_path}"]\n[agents.shell]\n')
        return tmp_path / "state", file

    return made


def answering(
    respx_mock: respx.MockRouter, life: int = 60, ahead: timedelta = timedelta(0), **row: Any
) -> dict[str, respx.Route]:
    """An office and a project that are well, but for what is said."""
    date = format_datetime(datetime.now(UTC) - ahead, usegmt=True)
    token = jwt.encode({"iat": 1, "exp": 1 + life}, "secret of thirty-two characters or so", algorithm="HS256")
    user: dict[str, Any] = {"id": str(uuid4()), "aud": "a", "app_metadata": {}, "user_metadata": {}, "created_at": SEEN}
    session: dict[str, Any] = {
        "access_token": token,
        "refresh_token": "r",
        "expires_in": 3600,
        "token_type": "bearer",
        "user": user,
    }
    seen = {"name": "laptop", "last_seen_at": SEEN, "signed_off_at": None, "connection": "live", "draining_since": None}
    return {
        "office": respx_mock.get(f"{OFFICE}/healthz").respond(200, json={}),
        "supabase": respx_mock.get(f"{SUPABASE}/auth/v1/health").respond(200, json={}, headers={"date": date}),
        "sign in": respx_mock.post(f"{SUPABASE}/auth/v1/token").respond(200, json=session),
        "sign out": respx_mock.post(f"{SUPABASE}/auth/v1/logout").respond(204),
        "row": respx_mock.get(f"{SUPABASE}/rest/v1/remote_clients").respond(200, json=[seen | row]),
    }


async def found(state: Path, policy: Path) -> dict[str, Finding]:
    return {finding.subject: finding async for finding in client_findings(state, policy)}


@pytest.mark.respx(assert_all_called=False)
async def test_a_client_that_is_well_is_said_to_be(client: Callable[..., Any], respx_mock: respx.MockRouter) -> None:
    answering(respx_mock)
    findings = await found(*client())
    assert {subject: finding.state for subject, finding in findings.items()} == dict.fromkeys(
        ["client", "policy", "office server", "supabase", "clock", "identity", "in the office"], "ok"
    )
    assert "acme/web" in findings["client"].detail
    assert "60 s" in findings["identity"].detail
    assert "secret" not in json.dumps([finding.detail for finding in findings.values()])


async def test_where_nobody_has_joined_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert await found(tmp_path / "state", tmp_path / "policy.toml") == {}


@pytest.mark.parametrize(
    ("wrong", "subject", "state", "words", "mend"),
    [
        ({"ahead": timedelta(minutes=2)}, "clock", "note", " s ahead of", "timedatectl"),
        ({"ahead": -timedelta(minutes=2)}, "clock", "note", "behind", "timedatectl"),
        ({"life": 3600}, "identity", "note", "3600 s", "access token hook"),
        ({"draining_since": SEEN}, "in the office", "note", "takes no new work", "--off"),
        ({"signed_off_at": SEEN}, "in the office", "note", "is not running", "semo client start"),
        ({"last_seen_at": None}, "in the office", "note", "never seen", "semo client start"),
    ],
)
@pytest.mark.respx(assert_all_called=False)
async def test_what_is_worth_knowing_is_said_with_what_to_do(
    client: Callable[..., Any],
    respx_mock: respx.MockRouter,
    wrong: dict[str, Any],
    subject: str,
    state: str,
    words: str,
    mend: str,
) -> None:
    answering(respx_mock, **wrong)
    finding = (await found(*client()))[subject]
    assert (finding.state, words in finding.detail, mend in finding.mend) == (state, True, True), finding


@pytest.mark.respx(assert_all_called=False)
async def test_one_that_was_shut_out_is_told_apart_from_one_that_cannot_reach_anybody(
    client: Callable[..., Any], respx_mock: respx.MockRouter
) -> None:
    routes = answering(respx_mock)
    routes["sign in"].respond(400, json={"code": 400, "error_code": "invalid_credentials", "msg": "Invalid"})
    shut_out = (await found(*client()))["identity"]
    assert (shut_out.state, "revoked" in shut_out.detail, "new code" in shut_out.mend) == ("missing", True, True)

    routes["supabase"].mock(side_effect=httpx.ConnectError("refused"))
    away = await found(*client())
    assert away["supabase"].state == "missing"
    assert "identity" not in away


@pytest.mark.respx(assert_all_called=False)
async def test_one_that_knows_that_it_was_revoked_asks_nobody(
    client: Callable[..., Any], respx_mock: respx.MockRouter
) -> None:
    routes = answering(respx_mock)
    findings = await found(*client(revoked_at=datetime(2026, 11, 21, tzinfo=UTC)))
    assert (findings["identity"].state, "2026-11-21" in findings["identity"].detail) == ("missing", True)
    assert not any(route.called for route in routes.values())


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("allowed_roots = [", "policy.toml"),
        ('allowed_roots = ["/nowhere/at/all"]\n[agents.shell]\n', "which is not there"),
        ('allowed_roots = ["/"]\n', "allows no agent"),
        ('allowed_roots = ["/"]\nwhatever = 1\n', "whatever"),
    ],
)
@pytest.mark.respx(assert_all_called=False)
async def test_a_policy_under_which_nothing_can_run_is_found(
    client: Callable[..., Any], respx_mock: respx.MockRouter, policy: str, words: str
) -> None:
    answering(respx_mock)
    finding = (await found(*client(policy)))["policy"]
    assert (finding.state, words in finding.detail) == ("missing", True), finding
