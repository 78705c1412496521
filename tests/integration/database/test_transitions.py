"""No sequence of calls draws an arrow that the comments on the enums do not name.

The comments in the migrations are read here: they are the specification, and the functions are held against them.
"""

import asyncio
import re
import uuid
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_supabase.database import Database
from shared.states import SessionStatus
from tests.integration.database.play import ACTIONS, Play, Step
from tests.integration.database.world import World, connect
from tests.support.embedded import SUPABASE

MIGRATIONS = "\n".join(path.read_text() for path in sorted((SUPABASE / "migrations").glob("*.sql")))
WATCH = """
  create temporary table arrows (of text, before text, after text);
  create function pg_temp.watch() returns trigger language plpgsql security definer as $$
  begin
    if tg_op = 'INSERT' or new.status <> old.status then
      insert into pg_temp.arrows
      values (tg_table_name, case when tg_op = 'UPDATE' then old.status::text end, new.status::text);
    end if;
    return null;
  end $$;
  create trigger watch after insert or update on public.agent_commands for each row execute function pg_temp.watch();
  create trigger watch after insert or update on public.agent_sessions for each row execute function pg_temp.watch();
"""


def arrows_named_by(enum: str) -> dict[str, set[str]]:
    """State → states that it may become, as the comments on the enum say."""
    match = re.search(rf"create type {enum} as enum \((.*?)\n\);", MIGRATIONS, re.DOTALL)
    assert match
    arrows: dict[str, set[str]] = {}
    for line in match[1].strip().splitlines():
        state, _, comment = line.strip().partition("--")
        _, arrow, after = re.sub(r"\([^)]*\)", "", comment).partition("→")
        assert arrow or "final" in comment, f"{enum}: {line} says neither where it leads nor that it is final"
        arrows[state.strip(" ',")] = {target.strip() for target in after.split(",")} if arrow else set()
    return arrows


COMMANDS = arrows_named_by("command_status")
SESSIONS = arrows_named_by("session_status")


def test_the_comments_name_only_states_that_there_are() -> None:
    for arrows in (COMMANDS, SESSIONS):
        assert len(arrows) == 7
        assert set().union(*arrows.values()) <= set(arrows)


async def test_the_check_of_session_moves_is_what_the_comments_say(world: World) -> None:
    for before in SessionStatus:
        for after in SessionStatus:
            allowed = await world.owner.value("select semo.session_may_become(%s, %s)", before, after)
            assert allowed == (after in SESSIONS[before]), f"{before} → {after}"


def test_every_function_that_moves_a_row_names_the_arrow_it_draws() -> None:
    functions = re.findall(
        r"((?:^--[^\n]*\n)*)create function (?:semo\.)?(\w+)\((.*?)\n(?:end )?\$\$;",
        MIGRATIONS,
        re.MULTILINE | re.DOTALL,
    )
    moving = {name: comment for comment, name, body in functions if re.search(r"\bset status = |new\.status := ", body)}
    assert {"claim_commands", "finish", "reopen", "register_client", "cancel_command"} <= set(moving)
    assert [name for name, comment in moving.items() if "Draws" not in comment] == []


LIKELY = [
    "prompt a role",
    "prompt a role, thrice at most",
    "create",
    "claim",
    "open",
    "complete",
    "the agent dies",
    "rescue",
]
PLAYS = st.lists(
    st.tuples(st.sampled_from(LIKELY) | st.sampled_from(sorted(ACTIONS)), st.integers(0, 5), st.integers(0, 20)),
    min_size=8, max_size=40,
)  # fmt: skip


@given(steps=PLAYS)
@settings(max_examples=30, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_sequence_of_calls_draws_another_arrow(shared_database: Database, steps: list[Step]) -> None:
    asyncio.run(play(shared_database, steps))


async def play(database: Database, steps: list[Step]) -> None:
    async with connect(database) as connection, connection.transaction(force_rollback=True):
        world = World(connection)
        game = await Play.begin(world)
        await connection.execute(WATCH.encode())
        for step in steps:
            await game.step(step)
        await check_arrows(world)
        await check_results(world, game.office)


async def check_arrows(world: World) -> None:
    for arrow in await world.owner.ask("select distinct * from pg_temp.arrows"):
        legal = COMMANDS if arrow["of"] == "agent_commands" else SESSIONS
        first = "pending" if arrow["of"] == "agent_commands" else "creating"
        allowed = {first} if arrow["before"] is None else legal[arrow["before"]]
        assert arrow["after"] in allowed, (
            f"{arrow['of']}: {arrow['before']} → {arrow['after']} is drawn by nobody's leave"
        )


async def check_results(world: World, office: uuid.UUID) -> None:
    """One result for each attempt that was tried, also for the last one of a command that finished."""
    rows = await world.owner.ask(
        """select c.status::text, c.attempt, c.finished_at, c.max_attempts,
                  array(select r.attempt from agent_command_results r where r.command_id = c.id order by 1) as results,
                  array(select r.success from agent_command_results r where r.command_id = c.id order by r.attempt)
                    as successes
           from agent_commands c where c.office_id = %s""",
        office,
    )
    for row in rows:
        finished = row["status"] in ("completed", "failed", "lost")
        assert len(row["results"]) <= row["max_attempts"], row
        assert (row["attempt"] in row["results"]) == finished, row
        assert all(attempt <= row["attempt"] for attempt in row["results"]), row
        assert (row["finished_at"] is not None) == (not COMMANDS[row["status"]]), row
        expected = [False] * len(row["results"])
        if finished:
            expected[-1] = row["status"] == "completed"
        assert row["successes"] == expected, row


async def test_the_game_above_draws_every_arrow_of_commands(world: World) -> None:
    """A test that cannot fail is a defect: a play that is known draws all the arrows that the comments name."""
    script: list[Step] = [
        ("prompt a role", 0, 0), ("cancel", 0, 0),
        ("prompt a role", 0, 0), ("deadline passes", 1, 0), ("expire", 0, 0),
        ("create", 0, 0), ("claim", 0, 0), ("give back", 0, 0), ("claim", 0, 0), ("complete", 1, 0),
        ("create", 0, 0), ("claim", 0, 0), ("fail", 2, 0),
        ("prompt a role", 0, 0), ("claim", 0, 0), ("lease runs out", 4, 0), ("rescue", 0, 0),
    ]  # fmt: skip
    game = await Play.begin(world)
    await world.connection.execute(WATCH.encode())
    for step in script:
        await game.step(step)
    drawn = await world.owner.ask("select distinct before, after from pg_temp.arrows where of = 'agent_commands'")
    expected: Any = {(before, after) for before, targets in COMMANDS.items() for after in targets}
    assert {(row["before"], row["after"]) for row in drawn} == cast("set[Any]", expected) | {(None, "pending")}


@pytest.mark.parametrize("final", [state for state, targets in COMMANDS.items() if not targets])
def test_final_states_are_final(final: str) -> None:
    assert "final" in re.search(rf"'{final}',?\s+--[^\n]*", MIGRATIONS)[0]  # type: ignore[index]
