"""`semo attach` through the office: a person anywhere types into a session of another machine, and watches it."""

import uuid
from typing import Any

import pytest

from tests.support.person import Person
from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def session_of(office: RunningOffice) -> str:
    async with office.api() as api:
        made = await api.post("sessions", json={"role": "BE", "task": f"visited-{uuid.uuid4().hex[:8]}"})
    return str(made.raise_for_status().json()["id"])


async def elsewhere(office: RunningOffice, role: str = "operator") -> dict[str, str]:
    """The environment of a person who knows the office's address and has a token, and no session host."""
    async with office.api() as api:
        made = await api.post("tokens", json={"name": f"{role}-{uuid.uuid4().hex[:8]}", "role": role})
    return {
        "SEMO_OFFICE_URL": office.status["office_url"],
        "SEMO_OFFICE_ID": office.status["office_id"],
        "SEMO_API_TOKEN": made.raise_for_status().json()["secret"],
    }


async def size_of(office: RunningOffice, session: str) -> tuple[int, int]:
    async with office.api() as api:
        told: dict[str, Any] = (await api.get(f"sessions/{session}")).json()
    return told["cols"], told["rows"]


async def test_a_person_elsewhere_types_and_sees_and_the_rows_say_who(office: RunningOffice):
    session = await session_of(office)
    me = await elsewhere(office)
    async with Person.running("attach", session[:13], "--through-office", env=me) as person:
        await person.until_shown("Ctrl-]")
        for key in "echo far-$((40 + 2))\r":
            person.press(key)
        await person.until_shown("far-42")
        person.press("stty size\r")
        await person.until_shown("25 90")
        person.press("\x1d")
        assert await person.exit_code() == 0
        assert person.modes() == person.modes_before

    typed = await office.rows("agent_commands", session_id=session, command_type="send_text")
    typed.sort(key=lambda row: row["seq"])
    assert "".join(row["payload"]["text"] for row in typed) == "echo far-$((40 + 2))\rstty size\r"
    assert {row["author"].split("-")[0] for row in typed} == {"token:operator"}
    for row in await office.rows("agent_commands", session_id=session):
        await office.final(row["id"])
    assert await size_of(office, session) == (120, 40), "its own size came back"


async def test_a_viewer_may_watch_and_not_type(office: RunningOffice):
    session = await session_of(office)
    me = await elsewhere(office, "viewer")
    async with Person.running("attach", session, "--through-office", env=me) as person:
        assert await person.exit_code() == 6
        assert b"operator" in person.shown
        assert b"--read-only" in person.shown
    async with Person.running("attach", session, "--through-office", "--read-only", env=me) as person:
        await person.until_shown("read-only")
        sent = await office.insert("send_text", {"text": "echo watched-$((1 + 1))\r"}, session_id=session)
        await person.until_shown("watched-2")
        await office.final(sent)
        await office.final(await office.insert("terminate", {}, session_id=session))
        assert await person.exit_code() == 0
        assert b"has ended: terminated" in person.shown


async def test_what_is_not_there_is_said_in_words(office: RunningOffice):
    session = await session_of(office)
    me = await elsewhere(office)
    nobody = await semo("attach", "0000dead", "--through-office", **me)
    assert (nobody.exit_code, "no session 0000dead" in nobody.err) == (1, True), nobody

    await office.final(await office.insert("terminate", {}, session_id=session))
    ended = await semo("attach", session, "--through-office", **me)
    assert (ended.exit_code, "(terminated)" in ended.err) == (1, True), ended


async def test_without_an_option_a_session_of_this_machine_is_found_here(office: RunningOffice):
    session = await session_of(office)
    async with Person.running("attach", session, "--data", str(office.data)) as person:
        await person.until_shown("on this machine")
        person.press("echo near-$((40 + 2))\r")
        await person.until_shown("near-42")
        person.press("\x1d")
        assert await person.exit_code() == 0
    assert not await office.rows("agent_commands", session_id=session, command_type="send_text")
    [event] = await office.rows("session_events", session_id=session, kind="taken_over")
    assert event["detail"]["by"].startswith("local:")
