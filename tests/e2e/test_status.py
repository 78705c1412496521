"""`semo status` before a running office: what a person reads there is what the office knows."""

import pytest

from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_status_shows_who_holds_which_session_and_why_what_waits_does(office: RunningOffice):
    async with office.api() as api:
        session = (await api.post("sessions", json={"role": "Architect", "task": "status"})).raise_for_status().json()
        waits = await office.insert("send_prompt", {"role": "BE", "text": "hello", "agent": "nobody-has-this"})
        try:
            told = await semo("status", "--data", str(office.data), COLUMNS="120")
            machine = (await semo("status", "--data", str(office.data), "--json")).last_line
        finally:
            (await api.post(f"commands/{waits}/cancel")).raise_for_status()
            await api.delete(f"sessions/{session['session_id']}")

    assert told.exit_code == 0, told.err
    assert office.status["office_url"] in told.out
    [row] = [line for line in told.out.splitlines() if "Architect/status" in line]
    assert row.split()[:3] == ["Architect/status", "cold", "held"]
    assert session["session_id"][:8] in row
    assert "session of token:" in row
    assert f"{waits} · send_prompt · BE" in told.out
    assert "No machine that is online has " in told.out
    assert " · live · " in told.out

    assert {name: machine[name] for name in office.status if name != "pool"} == {
        name: value for name, value in office.status.items() if name != "pool"
    }
    assert [one["command_id"] for one in machine["pool"]["pending"]] == [waits]
    assert session["session_id"] in [one["session_id"] for one in machine["pool"]["sessions"]]
    assert office.status["api_token"] not in told.out


async def test_status_needs_no_data_folder_for_an_office_that_is_named_by_its_address(office: RunningOffice):
    named = {
        "SEMO_OFFICE_URL": office.status["office_url"],
        "SEMO_OFFICE_ID": office.status["office_id"],
        "SEMO_API_TOKEN": office.status["api_token"],
    }
    told = await semo("status", "--json", **named)
    assert told.exit_code == 0, told.err
    assert told.last_line["office_url"] == office.status["office_url"]
    assert told.last_line["pool"]["office_id"] == office.status["office_id"]
