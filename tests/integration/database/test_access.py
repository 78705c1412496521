"""Who may do what at all: the grants, read from the catalog, so that no new table or function can be forgotten."""

import pytest

from tests.integration.database.world import World

FOR_SIGNED_IN_CALLERS = {
    "create_spec_task", "start_spec_task", "comment_spec", "send_back_spec", "approve_spec", "retry_spec_task",
    "cancel_spec_task", "add_spec_session", "leave_spec_message", "spec_task_state", "agent_call", "agent_answers",
    "answer_question",
    "cancel_command", "command_waiting_reason", "pool_state", "get_persona",
    "register_client", "heartbeat", "sign_off", "claim_commands", "renew_leases", "complete_command", "report_lost",
    "give_back_command", "open_session", "update_session", "acquire_session", "release_session",
    "record_progress", "append_output", "record_events", "open_circuit", "close_circuit", "echo_hint",
    "report_connection", "read_events",
}  # fmt: skip
FOR_THE_SERVICE_ALONE = {
    "spec_planned", "spec_unplanned", "spec_session_started", "spec_take_in", "spec_session_worked",
    "spec_session_failed", "spec_session_merged", "spec_tasks_due", "spec_history_written", "expire_questions",
    "check_enrollment", "redeem_enrollment", "revoke_client", "expire_commands", "rescue_commands", "prune_output",
    "store_rendered_persona", "miss_clients", "prune_events",
    "create_plan", "add_jobs", "close_plan", "save_template", "run_schedule", "offices_with_plans", "finish_check",
    "pause_plan", "resume_plan", "cancel_plan", "drop_job", "retry_job", "set_job_priority", "kill_execution",
    "clean_executions", "delete_plan", "set_job_limits", "stop_office",
    "plan_state", "plan_jobs", "job_state", "search_jobs",
    "redeem_sign_in_code", "office_picture", "session_picture", "output_after",
}  # fmt: skip
CALLED_BY_POLICIES_AND_INSERTS = {
    "sees_spec_task",
    "has_role", "calling_client", "client_serves", "sees_session", "may_listen",
    "refuse", "persona_of", "field_problem", "in_no_session", "payload_problem",
}  # fmt: skip

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
READABLE_BY_SIGNED_IN_CALLERS = {
    "public.spec_tasks", "public.spec_versions", "public.spec_comments", "public.spec_sessions",
    "public.spec_messages", "public.coordination_events", "public.questions", "public.agent_calls",
    "public.offices", "public.office_members", "public.agent_personas", "public.remote_clients",
    "public.client_offices", "public.agent_commands", "public.agent_command_results", "public.agent_sessions",
    "public.session_turns", "public.session_events", "public.session_output", "public.role_circuits",
    "semo.payload_fields",
    "public.job_limits", "public.plans", "public.plan_lanes", "public.jobs", "public.job_dependencies",
    "public.executions", "public.prompt_templates",
}  # fmt: skip


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
    assert await functions_of(world, "authenticated", "semo") == CALLED_BY_POLICIES_AND_INSERTS


async def test_the_service_may_call_all_public_functions(world: World) -> None:
    assert await functions_of(world, "service_role", "public") == FOR_SIGNED_IN_CALLERS | FOR_THE_SERVICE_ALONE


async def test_functions_with_our_rights_have_a_fixed_search_path(world: World) -> None:
    rows = await world.owner.ask(f"select name, settings from ({OUR_FUNCTIONS}) f where definer")  # noqa: S608
    assert len(rows) > 20
    loose = [row["name"] for row in rows if "search_path=public, pg_temp" not in (row["settings"] or [])]
    assert loose == []


async def test_signed_in_callers_read_these_tables_and_write_only_new_commands(world: World) -> None:
    assert await tables_of(world, "authenticated", "select") == READABLE_BY_SIGNED_IN_CALLERS
    assert await tables_of(world, "authenticated", "insert") == {"public.agent_commands"}
    assert await tables_of(world, "authenticated", "update") == set()


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
