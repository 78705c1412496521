"""No sequence of calls draws an arrow that the comments on the enums do not name.

The comments in the migrations are read here: they are the specification, and the functions are held against them.
"""

import asyncio
import re
import uuid
from typing import Any, cast

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_supabase.database import Database
from shared.states import SessionStatus
from tests.integration.database.world import Client, Row, World, connect
from tests.support.embedded import SUPABASE

MIGRATIONS = "\n".join(path.read_text() for path in sorted((SUPABASE / "migrations").glob("*.sql")))
WATCH = """
  create temporary table arrows (of text, before text, after text);
  create function pg_temp.watch() returns trigger language plpgsql security definer as $$
  begin
    if tg_op = 'INSERT' or new.status <> old.status then
      insert into pg_temp.arrows values (tg_table_name, case when tg_op = 'UPDATE' then old.status::text end, new.status::text);
    end if;
    return null;
  end $$;
  create trigger watch after insert or update on public.agent_commands for each row execute function pg_temp.watch();
  create trigger watch after insert or update on public.agent_sessions for each row execute function pg_temp.watch();
"""


def arrows_named_by(enum: str) -> dict[str, set[str]]:
    """State → states that it may become, as the comments on the enum say."""
    match = re.search(rf"create type {enum} as enum \((.*?)\n\);", MIGRATIONS, re.S)
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
        r"((?:^--[^\n]*\n)*)create function (?:semo\.)?(\w+)\((.*?)\nend \$\$;", MIGRATIONS, re.M | re.S
    )
    moving = {name: comment for comment, name, body in functions if re.search(r"\bset status = |new\.status := ", body)}
    assert {"claim_commands", "finish", "reopen", "register_client", "cancel_command"} <= set(moving)
    assert [name for name, comment in moving.items() if "Draws" not in comment] == []


# What anybody may try, in any order: (what, which of the things there are).
ACTIONS = [
    "prompt a role", "prompt a session", "create", "send keys", "terminate", "urgent", "claim", "claim as the other",
    "open", "acquire", "type", "complete", "fail", "complete with a move", "report lost", "give back", "renew",
    "lease runs out", "rescue", "deadline passes", "expire", "cancel", "move", "restart", "restart with all",
    "a zombie completes", "a zombie moves", "revoke the other",
]  # fmt: skip
Step = tuple[str, int, int]


class Play:
    """Plays steps against one office with two machines; refusals are part of the game, anything else is not."""

    def __init__(self, world: World, office: uuid.UUID, first: Client, second: Client) -> None:
        self.world, self.office, self.first, self.second = world, office, first, second
        self.zombie = first.as_it_was()
        self.held: list[Row] = []

    async def step(self, action: str, which: int, other: int) -> None:
        commands = await self.world.owner.ask(
            "select * from agent_commands where office_id = %s order by seq", self.office
        )
        sessions = await self.world.owner.ask(
            "select * from agent_sessions where office_id = %s order by created_at, id", self.office
        )
        command = commands[which % len(commands)] if commands else None
        session = sessions[other % len(sessions)]["id"] if sessions else None
        held = self.held[which % len(self.held)] if self.held else command
        try:
            async with self.world.connection.transaction():
                await self._act(action, other, command, held, session)
        except psycopg.Error as error:
            assert (error.sqlstate or "").startswith("SO"), f"{action}: {error}"

    async def _act(
        self, action: str, other: int, command: Row | None, held: Row | None, session: uuid.UUID | None
    ) -> None:
        await self._act_for_anybody(action, command, session)
        if command and held:
            await self._act_on_a_command(action, other, command, held, session)
        if session:
            status = list(SessionStatus)[other % len(SessionStatus)]
            if action == "move":
                await self.first.move(session, status)
            elif action == "a zombie moves":
                await self.zombie.move(session, status)

    async def _act_for_anybody(self, action: str, command: Row | None, session: uuid.UUID | None) -> None:
        match action:
            case "prompt a role":
                await self.world.prompt(self.office)
            case "create":
                await self.world.command(self.office, "create_session", {"role": "BE"})
            case "prompt a session" if session:
                await self.world.prompt(self.office, session)
            case "send keys" if session:
                await self.world.command(self.office, "send_keys", {"keys": ["enter"]}, session_id=session)
            case "terminate" if session:
                await self.world.command(self.office, "terminate", session_id=session)
            case "urgent":
                await self.world.prompt(self.office, priority=9)
            case "claim":
                self.held += await self.first.claim()
            case "claim as the other":
                self.held += await self.second.claim(1)
            case "rescue":
                await self.world.service.call("rescue_commands")
            case "expire":
                await self.world.service.call("expire_commands")
            case "restart" | "restart with all":
                self.zombie = self.first.as_it_was()
                keep = self.held if action == "restart with all" else []
                await self.first.register(*([session] if session and keep else []), held=keep)
            case "revoke the other":
                await self.world.service.call("revoke_client", p_client=self.second.id)
            case _:
                pass

    async def _act_on_a_command(
        self, action: str, other: int, command: Row, held: Row, session: uuid.UUID | None
    ) -> None:
        owner = self.second if held["claimed_by"] == self.second.id else self.first
        status = list(SessionStatus)[other % len(SessionStatus)]
        match action:
            case "open":
                await owner.open_session(self.office, held)
            case "acquire" if session:
                await owner.acquire(session, held)
            case "type" if session:
                await owner.typed(held, session)
            case "complete":
                await owner.complete(held)
            case "complete with a move" if session:
                await owner.complete(held, p_result={"session_id": str(session)}, p_session_status=status)
            case "fail":
                await owner.complete(held, success=False, p_error_code="no_such_thing", p_error="it broke")
            case "report lost":
                await owner.report_lost(held)
            case "give back":
                await owner.give_back(held)
            case "renew":
                await owner.renew(held)
            case "a zombie completes":
                await self.zombie.complete(held)
            case "lease runs out":
                await self.world.lease_runs_out(command)
            case "deadline passes":
                await self.world.owner.ask(
                    "update agent_commands set deadline = now() - interval '1 second' where id = %s", command["id"]
                )
            case "cancel":
                await self.world.service.call("cancel_command", p_command=command["id"])
            case _:
                pass


LIKELY = ["prompt a role", "create", "claim", "open", "complete", "rescue"]
PLAYS = st.lists(
    st.tuples(st.sampled_from(LIKELY) | st.sampled_from(ACTIONS), st.integers(0, 5), st.integers(0, 20)),
    min_size=8, max_size=40,
)  # fmt: skip


@given(steps=PLAYS)
@settings(max_examples=40, deadline=None, print_blob=True, suppress_health_check=[*HealthCheck])
def test_no_sequence_of_calls_draws_another_arrow(shared_database: Database, steps: list[Step]) -> None:
    asyncio.run(play(shared_database, steps))


async def play(database: Database, steps: list[Step]) -> None:
    async with connect(database) as connection, connection.transaction(force_rollback=True):
        world = World(connection)
        office = await world.office()
        game = Play(world, office, await world.client(office), await world.client(office))
        await connection.execute(WATCH.encode())
        for step in steps:
            await game.step(*step)
        await check_arrows(world)
        await check_results(world, office)


async def check_arrows(world: World) -> None:
    for arrow in await world.owner.ask("select distinct * from pg_temp.arrows"):
        legal = COMMANDS if arrow["of"] == "agent_commands" else SESSIONS
        first = "pending" if arrow["of"] == "agent_commands" else "creating"
        allowed = {first} if arrow["before"] is None else legal[arrow["before"]]
        assert arrow["after"] in allowed, (
            f"{arrow['of']}: {arrow['before']} → {arrow['after']} is drawn by nobody's leave"
        )


async def check_results(world: World, office: uuid.UUID) -> None:
    """One result for each command that finished, for its last attempt; none for any other."""
    rows = await world.owner.ask(
        """select c.status::text, c.attempt, c.finished_at, array_agg(r.attempt) filter (where r.attempt is not null) as results,
                  bool_and(r.success) as success
           from agent_commands c left join agent_command_results r on r.command_id = c.id
           where c.office_id = %s group by c.id""",
        office,
    )
    for row in rows:
        finished = row["status"] in ("completed", "failed", "lost")
        assert row["results"] == ([row["attempt"]] if finished else None), row
        assert (row["finished_at"] is not None) == (not COMMANDS[row["status"]]), row
        if finished:
            assert row["success"] == (row["status"] == "completed"), row


async def test_the_game_above_draws_every_arrow_of_commands(shared_database: Database) -> None:
    """A test that cannot fail is a defect: a play that is known draws all the arrows that the comments name."""
    script: list[Step] = [
        ("prompt a role", 0, 0), ("cancel", 0, 0),
        ("prompt a role", 0, 0), ("deadline passes", 1, 0), ("expire", 0, 0),
        ("create", 0, 0), ("claim", 0, 0), ("give back", 0, 0), ("claim", 0, 0), ("complete", 1, 0),
        ("create", 0, 0), ("claim", 0, 0), ("fail", 2, 0),
        ("prompt a role", 0, 0), ("claim", 0, 0), ("lease runs out", 4, 0), ("rescue", 0, 0),
    ]  # fmt: skip
    async with connect(shared_database) as connection, connection.transaction(force_rollback=True):
        world = World(connection)
        office = await world.office()
        game = Play(world, office, await world.client(office), await world.client(office))
        await connection.execute(WATCH.encode())
        for step in script:
            await game.step(*step)
        drawn = await world.owner.ask("select distinct before, after from pg_temp.arrows where of = 'agent_commands'")
        expected: Any = {(before, after) for before, targets in COMMANDS.items() for after in targets}
        assert {(row["before"], row["after"]) for row in drawn} == cast("set[Any]", expected) | {(None, "pending")}


@pytest.mark.parametrize("final", [state for state, targets in COMMANDS.items() if not targets])
def test_final_states_are_final(final: str) -> None:
    assert "final" in re.search(rf"'{final}',?\s+--[^\n]*", MIGRATIONS)[0]  # type: ignore[index]
