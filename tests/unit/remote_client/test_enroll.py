"""Joining an office: what is kept of its answer, and what is said when it has none or refuses."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import respx

from remote_client.credentials import load
from remote_client.enroll import join
from shared.errors import BackendDown, BadEnrollmentCode, NotFound, OfficeError

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
