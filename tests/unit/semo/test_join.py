"""`semo client join`: a code with its office's address, or the link that holds both."""

from pathlib import Path
from uuid import uuid4

import pytest
import respx

from semo.join import join_with_code
from semo.problems import Exit, SemoError

WELCOME = {
    "supabase_url": "http://supabase.example", "publishable_key": "publishable", "email": "c@clients.semo.invalid",
    "password": "a secret", "client_id": str(uuid4()), "office_id": str(uuid4()), "office_name": "acme/web",
}  # fmt: skip


@pytest.mark.parametrize(
    ("office_url", "code"),
    [
        ("https://office.example/semo/", "7KQ2-M9FD"),
        (None, "https://office.example/semo/join#7KQ2-M9FD"),
        ("https://office.example/semo", "http://tunnel.example/join#7KQ2-M9FD"),
    ],
)
async def test_either_says_where_the_office_is(
    respx_mock: respx.MockRouter, tmp_path: Path, office_url: str | None, code: str
) -> None:
    desk = respx_mock.post("https://office.example/semo/api/enroll").respond(200, json=WELCOME)
    joined = await join_with_code(office_url, code, "laptop", tmp_path / "state")
    assert joined.office_url == "https://office.example/semo"
    assert b'"7KQ2-M9FD"' in desk.calls.last.request.content


async def test_a_code_alone_does_not(tmp_path: Path) -> None:
    with pytest.raises(SemoError, match="does not say where") as refusal:
        await join_with_code(None, "7KQ2-M9FD", None, tmp_path / "state")
    assert refusal.value.exit_code is Exit.USAGE
    assert "--office-url" in refusal.value.do
