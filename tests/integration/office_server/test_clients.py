"""How each machine is connected, as the office shows it."""

from datetime import datetime
from typing import Any

import pytest

from tests.integration.office_server.conftest import Api, Project

pytestmark = pytest.mark.asyncio(loop_scope="session")
SEEN, SINCE = "2026-11-21 10:00:00+00", "2026-11-21 09:00:00+00"


async def shown(project: Project, office_id: str, admin: Api, **columns: str) -> dict[str, Any]:
    """The client with these columns, as the list of clients has it."""
    names, values = ", ".join(("name", *columns)), ", ".join(("'laptop'", *columns.values()))
    [(client,)] = await project.sql(f"insert into remote_clients ({names}) values ({values}) returning id")  # noqa: S608
    await project.sql("insert into client_offices (client_id, office_id) values (%s, %s)", client, office_id)
    [found] = (await admin.get("/clients")).json()["clients"]
    return found


@pytest.mark.parametrize("said", ["live", "polling"])
async def test_one_that_is_online_is_connected_as_it_said(project: Project, office_id: str, admin: Api, said: str):
    client = await shown(
        project, office_id, admin, last_seen_at="now()", connection=f"'{said}'", connection_since=f"'{SINCE}'"
    )
    assert client["connection"] == said
    assert datetime.fromisoformat(client["connection_since"]) == datetime.fromisoformat(SINCE)


async def test_one_that_vanished_is_offline_whatever_it_said_last(project: Project, office_id: str, admin: Api):
    client = await shown(
        project, office_id, admin, last_seen_at=f"'{SEEN}'", connection="'live'", connection_since=f"'{SINCE}'"
    )
    assert client["connection"] == "offline"
    assert datetime.fromisoformat(client["connection_since"]) == datetime.fromisoformat(SEEN)


async def test_one_that_has_not_said_anything_yet_is_not_called_live(project: Project, office_id: str, admin: Api):
    client = await shown(project, office_id, admin, last_seen_at="now()", registered_at="now()")
    assert client["connection"] == "polling"


async def test_one_that_never_came_is_offline_since_ever(project: Project, office_id: str, admin: Api):
    client = await shown(project, office_id, admin)
    assert client["connection"] == "offline"
    assert client["connection_since"] is None
