"""A claim stays cheap however much history there is: it reads what waits, by index, and not what is over."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from local_supabase.database import Database
from tests.integration.database.world import Caller, World, connect

FINISHED, WAITING = 50_000, 200
HISTORY = """
  insert into agent_commands (office_id, command_type, payload, status, finished_at)
  select %s, 'send_prompt', '{"text":"x","role":"BE"}', 'completed', now() from generate_series(1, %s)
"""
SHOW_PLANS = """
  load 'auto_explain';
  set auto_explain.log_min_duration = 0;
  set auto_explain.log_nested_statements = on;
  set auto_explain.log_format = json;
  set client_min_messages = log;
"""


async def test_a_claim_reads_what_waits_by_its_index_and_nothing_that_is_over(database: Database) -> None:
    async with connect(database) as connection, connect(database, "supabase_admin") as superuser:
        world = World(connection)
        office = await world.office(session_limit=100)
        client = await world.client(office, capacity=100)
        await superuser.execute("set session_replication_role = replica")  # no hints for what is history
        await superuser.execute(HISTORY, (office, FINISHED))
        await superuser.execute("reset session_replication_role")
        for _ in range(WAITING):
            await world.prompt(office)
        await superuser.execute("analyze")

        began = time.perf_counter()
        assert len(await client.claim()) == 10
        took_ms = (time.perf_counter() - began) * 1000
        print(f"claim of 10 among {WAITING} waiting and {FINISHED} finished: {took_ms:.1f} ms")  # noqa: T201

        plans: list[Any] = []
        superuser.add_notice_handler(lambda notice: plans.extend(plans_in(notice.message_primary or "")))
        await superuser.execute(SHOW_PLANS)
        watched = replace(client, caller=Caller(superuser, "authenticated", client.caller.user))
        assert len(await watched.claim()) == 10

    scans = [node for plan in plans for node in nodes(plan["Plan"]) if node.get("Relation Name") == "agent_commands"]
    assert {scan["Node Type"] for scan in scans} & {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, (
        "no plan was seen"
    )
    indexes = [node.get("Index Name") for plan in plans for node in nodes(plan["Plan"])]
    assert "agent_commands_waiting" in indexes
    assert [scan for scan in scans if scan["Node Type"] == "Seq Scan"] == []
    assert "agent_commands_history" not in indexes


def plans_in(notice: str) -> list[Any]:
    _, found, plan = notice.partition("plan:")
    return [json.loads(plan)] if found else []


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)
