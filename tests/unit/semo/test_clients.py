"""`semo clients`: what an admin is shown, and which machine is meant."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import respx

from semo import clients, console
from semo.office_api import OfficeApi
from semo.problems import SemoError

URL = "http://office.example"


def machine(name: str, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": str(uuid4()), "name": name, "revoked_at": None, "draining_since": None, "connection": "live",
        "connection_since": "2026-11-21T10:00:00Z", "capabilities": {"agents": {"shell": "5.2", "claude": "2.1"}},
    }  # fmt: skip
    return told | more


@pytest.fixture
async def api(respx_mock: respx.MockRouter) -> AsyncIterator[OfficeApi]:
    async with OfficeApi(URL, "semo_x", "o1") as api:
        yield api


def there_are(respx_mock: respx.MockRouter, *found: dict[str, Any]) -> None:
    respx_mock.get(f"{URL}/api/offices/o1/clients").respond(200, json={"clients": list(found)})


async def test_an_invitation_shows_the_code_the_command_and_the_link(
    api: OfficeApi, respx_mock: respx.MockRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {"code": "7KQ2-M9FD", "expires_at": "2026-11-21T10:10:00Z", "link": f"{URL}/join#7KQ2-M9FD",
            "command": f"semo client join 7KQ2-M9FD --office-url {URL}", "qr_svg": "<svg/>"}  # fmt: skip
    respx_mock.post(f"{URL}/api/offices/o1/enrollments").respond(201, json=made)
    await clients.invite(api, as_json=False)
    shown = capsys.readouterr().out
    assert "7KQ2-M9FD lets one machine in, until 10:10 UTC" in shown
    assert made["command"] in shown
    assert made["link"] in shown
    await clients.invite(api, as_json=True)
    assert json.loads(capsys.readouterr().out) == made


async def test_the_list_says_what_each_machine_is_at(
    api: OfficeApi,
    respx_mock: respx.MockRouter,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console.out, "width", 160)
    gone, draining = (
        machine("old", revoked_at="2026-11-20T09:00:00Z"),
        machine("mac\n\x1b[31m", draining_since="2026-11-21T11:00:00Z"),
    )
    there_are(respx_mock, machine("laptop"), draining, gone)
    await clients.show(api, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("laptop") and "live" in line and "claude, shell" in line for line in lines)
    assert any("draining, live" in line and "2026-11-21 11:00 UTC" in line for line in lines)
    assert any(line.startswith("old") and "revoked" in line for line in lines)
    assert "\x1b[31m" not in "".join(lines)


@pytest.mark.parametrize(("off", "said"), [(False, {"draining": True}), (True, {"draining": False})])
async def test_a_machine_is_meant_by_its_name_or_the_beginning_of_its_id(
    api: OfficeApi, respx_mock: respx.MockRouter, off: bool, said: dict[str, bool]
) -> None:
    laptop = machine("laptop")
    there_are(respx_mock, laptop, machine("other"))
    said_so: list[Any] = []

    def change(request: httpx.Request) -> httpx.Response:
        said_so.append(json.loads(request.content))
        return httpx.Response(200, json=laptop)

    respx_mock.patch(f"{URL}/api/offices/o1/clients/{laptop['id']}").mock(side_effect=change)
    for which in ("laptop", laptop["id"], laptop["id"][:8].upper()):
        await clients.drain(api, which, off=off)
    assert said_so == [said] * 3


@pytest.mark.parametrize("which", ["nobody", "lap", "", "2"])
async def test_who_is_not_there_is_not_guessed(api: OfficeApi, respx_mock: respx.MockRouter, which: str) -> None:
    there_are(respx_mock, machine("laptop"), machine("gone", revoked_at="2026-11-20T09:00:00Z"))
    with pytest.raises(SemoError, match="there is no machine") as refusal:
        await clients.revoke(api, which)
    assert refusal.value.do == "there are: laptop"


async def test_two_of_one_name_are_told_apart_by_their_ids(api: OfficeApi, respx_mock: respx.MockRouter) -> None:
    first, second = machine("laptop"), machine("laptop")
    there_are(respx_mock, first, second)
    with pytest.raises(SemoError, match="2 machines are meant") as refusal:
        await clients.revoke(api, "laptop")
    assert first["id"] in refusal.value.do
    leaving = respx_mock.delete(f"{URL}/api/offices/o1/clients/{second['id']}").respond(204)
    await clients.revoke(api, second["id"])
    assert leaving.called
