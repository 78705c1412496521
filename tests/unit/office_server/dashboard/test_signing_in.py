"""The cookie of a signed-in browser, and where signing in leads."""

from datetime import timedelta

import jwt
import pytest

from office_server.dashboard import mount, people, sign_in
from office_server.dashboard.signing import Signing
from office_server.routes import attention, clients, sessions, tokens
from shared.states import MemberRole

KEY = "a service key as long as those that projects have"


def test_a_cookie_names_who_signed_in():
    signing = Signing(KEY, timedelta(hours=1))
    assert signing.person(signing.sign("token:1")) == "token:1"


def test_a_cookie_that_is_too_old_or_of_another_project_or_changed_names_nobody():
    signing = Signing(KEY, timedelta(hours=1))
    assert Signing(KEY, timedelta(seconds=-1)).person(signing.sign("token:1")) == "token:1"
    assert signing.person(Signing(KEY, timedelta(seconds=-1)).sign("token:1")) is None
    assert signing.person(Signing(KEY[::-1], timedelta(hours=1)).sign("token:1")) is None
    head, body, signature = signing.sign("token:1").split(".")
    assert signing.person(f"{head}.{body[:-2]}AA.{signature}") is None
    assert signing.person(jwt.encode({"sub": "token:1"}, KEY, algorithm="HS256")) is None
    assert signing.person("") is None
    assert signing.person("nonsense") is None


def test_a_cookie_holds_neither_token_nor_key():
    said = jwt.decode(Signing(KEY, timedelta(hours=1)).sign("token:1"), options={"verify_signature": False})
    assert set(said) == {"sub", "aud", "exp"}


@pytest.mark.parametrize(
    "wanted",
    ["https://x.example/", "//x.example", "/dashboard//elsewhere", "/dashboard/\\x", "/api/x", ""],
)  # fmt: skip
def test_signing_in_leads_to_our_own_pages_alone(wanted: str):
    assert sign_in.own_address(wanted) == "/dashboard/"


def test_signing_in_leads_back_to_where_one_was():
    assert sign_in.own_address("/dashboard/7c1f/sessions?session=1") == "/dashboard/7c1f/sessions?session=1"


def test_a_live_connection_from_another_site_is_refused():
    headers = [(b"host", b"office.example"), (b"origin", b"https://elsewhere.example")]
    assert not mount.same_origin({"headers": headers})
    assert mount.same_origin({"headers": [(b"host", b"office.example"), (b"origin", b"https://office.example")]})


def test_what_a_page_hides_is_read_from_the_route_itself():
    assert people.needed_for(sessions.get_session) is MemberRole.VIEWER
    assert people.needed_for(sessions.send_prompt) is MemberRole.OPERATOR
    assert people.needed_for(attention.put_away) is MemberRole.OPERATOR
    assert people.needed_for(clients.revoke_client) is MemberRole.ADMIN
    assert people.needed_for(tokens.create_token) is MemberRole.ADMIN
    assert people.access_argument(sessions.send_prompt) == "access"
