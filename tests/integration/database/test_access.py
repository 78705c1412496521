"""Who may do what at all: the grants, read from the catalog, so that no new table or function can be forgotten.

What is expected stands in access.toml; test_access_matrix.py tries it out.
"""

import pytest

from tests.integration.database.access import expected
from tests.integration.database.world import World

EXPECTED = expected()
FOR_SIGNED_IN_CALLERS = EXPECTED.signed_in_may(EXPECTED.functions, "call")
FOR_THE_SERVICE_ALONE = {
    name for name, function in EXPECTED.functions.items() if function.who("call") == frozenset({"service"})
}

OUR_FUNCTIONS = """
  select p.oid, p.proname as name, n.nspname as schema, p.prosecdef as definer, p.proconfig as settings
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'semo')
"""
OUR_TABLES = """
  select c.oid, n.nspname || '.' || c.relname as name, c.relkind::text as kind, c.relrowsecurity as guarded
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'semo') and c.relkind in ('r', 'p', 'v', 'm', 'S')
"""


async def functions_of(world: World, role: str, schema: str) -> set[str]:
    rows = await world.owner.ask(
        f"select name from ({OUR_FUNCTIONS}) f where schema = %s and has_function_privilege(%s, oid, 'execute')",  # noqa: S608
        schema, role,
    )  # fmt: skip
    return {row["name"] for row in rows}


async def tables_of(world: World, role: str, privilege: str) -> set[str]:
    rows = await world.owner.ask(
        f"select name from ({OUR_TABLES}) t where kind <> 'S' and has_any_column_privilege(%s, oid, %s)",  # noqa: S608
        role, privilege,
    )  # fmt: skip
    return {row["name"] for row in rows}


async def test_every_table_has_row_level_security(world: World) -> None:
    tables = await world.owner.ask(f"select name from ({OUR_TABLES}) t where kind in ('r', 'p') and not guarded")  # noqa: S608
    assert tables == []


async def test_the_catalog_walk_sees_our_tables_and_functions(world: World) -> None:
    tables = await world.owner.ask(OUR_TABLES)
    functions = await world.owner.ask(OUR_FUNCTIONS)
    assert {"public.agent_commands", "semo.payload_fields"} <= {table["name"] for table in tables}
    assert {function["name"] for function in functions} >= FOR_SIGNED_IN_CALLERS | FOR_THE_SERVICE_ALONE


@pytest.mark.parametrize("privilege", ["select", "insert", "update", "delete", "truncate", "references", "trigger"])
async def test_anon_can_do_nothing_with_any_table(world: World, privilege: str) -> None:
    question = f"""
      select name from ({OUR_TABLES}) t where kind <> 'S' and (
        has_table_privilege('anon', oid, %s)
        or (%s in ('select', 'insert', 'update', 'references') and has_any_column_privilege('anon', oid,
            case when %s in ('select', 'insert', 'update', 'references') then %s else 'select' end)))
    """  # noqa: S608
    assert await world.owner.ask(question, privilege, privilege, privilege, privilege) == []


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
async def test_nobody_turns_the_sequences_by_hand(world: World, role: str) -> None:
    sequences = [row for row in await world.owner.ask(OUR_TABLES) if row["kind"] == "S"]
    assert sequences
    for sequence in sequences:
        question = "select has_sequence_privilege(%s, %s::oid, 'usage, update')"
        assert not await world.owner.value(question, role, sequence["oid"]), sequence["name"]


async def test_anon_can_call_nothing(world: World) -> None:
    assert await functions_of(world, "anon", "public") == set()
    assert await functions_of(world, "anon", "semo") == set()


async def test_nothing_is_open_to_everybody(world: World) -> None:
    question = f"""
      select f.name from ({OUR_FUNCTIONS}) f join pg_proc p on p.oid = f.oid,
        aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where a.grantee = 0 and a.privilege_type = 'EXECUTE'
    """  # noqa: S608
    assert await world.owner.ask(question) == []


async def test_signed_in_callers_may_call_exactly_these_functions(world: World) -> None:
    assert await functions_of(world, "authenticated", "public") == FOR_SIGNED_IN_CALLERS
    assert await functions_of(world, "authenticated", "semo") == EXPECTED.helpers


async def test_the_service_may_call_all_public_functions(world: World) -> None:
    assert await functions_of(world, "service_role", "public") == FOR_SIGNED_IN_CALLERS | FOR_THE_SERVICE_ALONE


async def test_functions_with_our_rights_have_a_fixed_search_path(world: World) -> None:
    rows = await world.owner.ask(f"select name, settings from ({OUR_FUNCTIONS}) f where definer")  # noqa: S608
    assert len(rows) > 20
    loose = [row["name"] for row in rows if "search_path=public, pg_temp" not in (row["settings"] or [])]
    assert loose == []


@pytest.mark.parametrize("verb", ["select", "insert", "update"])
async def test_signed_in_callers_have_these_rights_on_tables(world: World, verb: str) -> None:
    granted = {name.removeprefix("public.") for name in await tables_of(world, "authenticated", verb)}
    assert granted == EXPECTED.signed_in_may(EXPECTED.tables, verb)


async def test_nobody_but_our_functions_moves_a_command_a_session_or_a_result(world: World) -> None:
    for privilege in ("insert", "update"):
        writable = await tables_of(world, "service_role", privilege)
        moved = {
            "public.agent_command_results",
            "public.agent_sessions",
            "public.session_turns",
            "public.session_output",
            "public.role_circuits",
        }
        assert not writable & moved, privilege
    assert "public.agent_commands" not in await tables_of(world, "service_role", "update")
