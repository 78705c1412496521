"""What a command may say. The database refuses the rest in words that name the field; Python's types agree with it."""

import json
import uuid
from typing import Any, get_args

import annotated_types
import psycopg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from local_supabase.database import Database
from shared.payloads import PAYLOADS, Payload
from shared.states import CommandType
from tests.integration.database.world import World, refused

MIB = 1024 * 1024

# (type, payload, with a session?, words of the refusal)
MISTAKES: list[tuple[str, Any, bool, str]] = [
    ("create_session", {}, False, 'create_session: "role" is missing'),
    ("create_session", {"role": None}, False, 'create_session: "role" is missing'),
    ("create_session", {"role": ""}, False, 'create_session: "role" must not be empty'),
    ("create_session", {"role": 7}, False, 'create_session: "role" must be a text, not number'),
    ("create_session", {"role": "BE", "color": "red"}, False, 'create_session: unknown field "color"'),
    ("create_session", {"role": "BE", "argv": ["sh"]}, False, 'create_session: unknown field "argv"'),
    ("create_session", {"role": "BE", "task": "../etc"}, False, 'create_session: "task" may hold only'),
    ("create_session", {"role": "BE", "task": "a..b"}, False, 'create_session: "task" may hold only'),
    ("create_session", {"role": "BE", "task": "a.lock"}, False, 'create_session: "task" may hold only'),
    ("create_session", {"role": "BE", "task": "a/b"}, False, 'create_session: "task" may hold only'),
    ("create_session", {"role": "BE", "base": "-x"}, False, 'create_session: "base" may hold only'),
    ("create_session", {"role": "BE", "base": "a/../b"}, False, 'create_session: "base" may hold only'),
    ("create_session", {"role": "BE", "model": "x" * 101}, False, '"model" is 101 bytes long; at most 100'),
    ("create_session", {"role": "BE", "agent": "claude --yes"}, False, 'create_session: "agent" may hold only'),
    ("create_session", {"role": "BE", "cols": 19}, False, 'create_session: "cols" must be between 20 and 500'),
    ("create_session", {"role": "BE", "rows": 40.5}, False, 'create_session: "rows" must be a whole number'),
    ("create_session", {"role": "BE"}, True, "takes no session_id"),
    ("create_session", {"role": "Astronaut"}, False, 'create_session: unknown role "Astronaut"'),
    ("send_prompt", {"role": "BE"}, False, 'send_prompt: "text" is missing'),
    ("send_prompt", {"text": "", "role": "BE"}, False, 'send_prompt: "text" must not be empty'),
    ("send_prompt", {"text": " \n\t ", "role": "BE"}, False, 'send_prompt: "text" must not be empty'),
    ("send_prompt", {"text": "x" * MIB, "role": "BE"}, False, '"text" is 1048576 bytes long; at most 262144'),
    ("send_prompt", {"text": "é" * 131073, "role": "BE"}, False, 'send_prompt: "text" is 262146 bytes long'),
    ("send_prompt", {"text": "x"}, False, 'send_prompt: needs a session_id, or a "role"'),
    ("send_prompt", {"text": "x", "role": "BE"}, True, 'takes "role" and "agent" only without a session_id'),
    ("send_prompt", {"text": "x", "agent": "shell"}, True, 'send_prompt: takes "role" and "agent" only without'),
    ("send_prompt", {"text": "x", "role": "BE", "timeout_s": 0}, False, '"timeout_s" must be between 1 and 86400'),
    ("send_prompt", {"text": "x", "role": "BE", "timeout_s": "5"}, False, '"timeout_s" must be a number, not string'),
    ("send_prompt", {"text": "x", "role": "Nobody"}, False, 'send_prompt: unknown role "Nobody"'),
    ("send_text", {"text": "x"}, False, "send_text: needs a session_id"),
    ("send_text", {}, True, 'send_text: "text" is missing'),
    ("send_text", {"text": ""}, True, 'send_text: "text" must not be empty'),
    ("send_keys", {"keys": []}, True, 'send_keys: "keys" must be a list of 1 to 100 keys'),
    ("send_keys", {"keys": "enter"}, True, 'send_keys: "keys" must be a list of 1 to 100 keys'),
    ("send_keys", {"keys": ["enter"] * 101}, True, 'send_keys: "keys" must be a list of 1 to 100 keys'),
    ("send_keys", {"keys": ["enter", "ctrl-alt-del"]}, True, 'send_keys: "keys" does not know the key "ctrl-alt-del"'),
    ("send_keys", {"keys": [13]}, True, 'send_keys: "keys" does not know the key "13"'),
    ("get_output", {"after": -1}, True, 'get_output: "after" must be between 0 and'),
    ("get_output", {"limit": 0}, True, 'get_output: "limit" must be between 1 and 1048576'),
    ("resize", {"cols": 80}, True, 'resize: "rows" is missing'),
    ("cancel", {"force": True}, True, 'cancel: unknown field "force"'),
    ("terminate", {}, False, "terminate: needs a session_id"),
    ("release_session", {"x": 1}, True, 'release_session: unknown field "x"'),
    ("read_work", {"picture": "a\nb"}, True, '"picture" must be one line'),
    ("check_work", {}, False, "check_work: needs a session_id"),
    ("check_work", {"checks": "test"}, True, 'check_work: "checks" must be a list of at most 20 texts'),
    ("check_work", {"checks": ["make test"]}, True, 'check_work: "checks" holds "make test", which is no name'),
    ("check_work", {"must_change": ["a\nb"]}, True, '"must_change" holds "a\\nb", which is no line of text'),
    ("check_work", {"commit": "yes"}, True, 'check_work: "commit" must be true or false, not string'),
    ("check_work", {"run": ["rm", "-rf"]}, True, 'check_work: unknown field "run"'),
    ("publish_branch", {}, False, 'publish_branch: "branch" is missing'),
    ("publish_branch", {"branch": "agent/BE-1"}, False, "needs the client_id of the machine that has the branch"),
    ("publish_branch", {"branch": "agent/BE-1"}, True, "is done in no session and takes no session_id"),
    ("publish_branch", {"branch": "a", "title": "x\ny"}, False, '"title" must be one line of printable characters'),
    ("merge_branch", {"branch": "--force"}, False, 'merge_branch: "branch" may hold only'),
    ("merge_branch", {"branch": "a", "method": "octopus"}, False, '"method" must be merge, squash or rebase'),
    ("cancel", [], True, "cancel: the payload must be an object, not array"),
    ("cancel", "now", True, "cancel: the payload must be an object, not string"),
    ("write_documents", {"spec": "a", "message": "x", "documents": {"../x.md": ""}}, False, "a document of the name"),
    ("write_documents", {"spec": "a", "message": "x", "documents": {"x.sh": ""}}, False, "a document of the name"),
    ("write_documents", {"spec": "a", "message": "x", "documents": {}}, False, "an object of 1 to 200 documents"),
    ("write_documents", {"spec": "a", "message": "x", "documents": {"a.md": 1}}, False, "must hold a text"),
    ("write_documents", {"spec": "a/b", "message": "x", "documents": {"a.md": ""}}, False, '"spec" may hold only'),
    ("read_documents", {"spec": "a"}, True, "is done in no session"),
]  # fmt: skip


@pytest.mark.parametrize(("command_type", "payload", "in_session", "words"), MISTAKES)
async def test_a_mistake_is_refused_in_words_that_name_it_whoever_makes_it(
    world: World, command_type: str, payload: object, in_session: bool, words: str
) -> None:
    office = await world.office()
    session = await (await world.client(office)).open_session(office) if in_session else None
    for caller in (world.service, world.owner, await world.member(office, "operator")):
        with refused("SO004") as refusal:
            await caller.ask(
                "insert into agent_commands (office_id, command_type, payload, session_id) values (%s, %s, %s, %s)",
                office, command_type, Jsonb(payload), session,
            )  # fmt: skip
        assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("command_type", "payload", "in_session"),
    [
        ("create_session", {"role": "BE"}, False),
        ("create_session", {"role": "BE", "agent": "claude", "model": "claude-x/4.5@v1", "mcp": "browser",
                            "resume": "a:b", "task": "fix-1", "base": "feature/x", "cols": 500, "rows": 5}, False),
        ("create_session", {"role": "BE", "agent": None}, False),
        ("send_prompt", {"text": "x" * 262144, "role": "QA", "timeout_s": 1.5}, False),
        ("send_prompt", {"text": "ok"}, True),
        ("send_text", {"text": "y\n"}, True), ("send_text", {"text": "\n"}, True),
        ("send_keys", {"keys": ["ctrl-c", "alt-x", "f12", "page-up", "shift-tab", "y", "!", "~"]}, True),
        ("get_output", {"after": 9007199254740991, "limit": 1048576}, True),
        ("get_output", {}, True),
        ("resize", {"cols": 20, "rows": 300}, True),
        ("cancel", {}, True), ("terminate", {}, True), ("release_session", {}, True),
        ("read_documents", {"spec": "login"}, False),
        ("write_documents", {"spec": "login", "documents": {"tasks.md": "", "history/BE-1_2.md": "x" * 262144,
                             "spec-metadata.json": "{}"}, "message": "tick", "base": "main"}, False),
        ("merge_work", {"spec": "login", "branch": "agent/BE-login-1.2", "base": "main"}, False),
        ("check_work", {"checks": ["test"], "must_change": ["src/**"], "must_not_change": ["*.lock"], "commit": True,
                        "since": "0123abc", "timeout_s": 60}, True),
        ("check_work", {}, True),
        ("read_work", {"picture": "shots/a b.png"}, True),
    ],
)  # fmt: skip
async def test_what_the_design_says_is_taken(
    world: World, command_type: str, payload: dict[str, Any], in_session: bool
) -> None:
    office = await world.office()
    session = await (await world.client(office)).open_session(office) if in_session else None
    command = await world.command(office, command_type, payload, session_id=session)
    assert command["payload"] == {name: value for name, value in payload.items() if value is not None}


async def test_a_nul_byte_is_refused(world: World) -> None:
    with refused("22P05"):
        await world.service.ask(
            "insert into agent_commands (office_id, command_type, payload) values (%s, 'send_prompt', %s::jsonb)",
            await world.office(), '{"role": "BE", "text": "a\\u0000b"}',
        )  # fmt: skip


async def test_an_unknown_type_is_refused(world: World) -> None:
    with refused("22P02", "dance"):
        await world.command(await world.office(), "dance", {})


async def test_a_role_is_known_in_any_case_and_kept_as_its_persona_writes_it(world: World) -> None:
    command = await world.command(await world.office(), "create_session", {"role": "devops"})
    assert command["payload"]["role"] == "DevOps"


async def test_a_role_of_another_office_is_unknown_and_the_hint_lists_the_known_ones(world: World) -> None:
    own, other = await world.office(), await world.office()
    await world.owner.insert("agent_personas", office_id=own, role="Poet", name="Poet", persona_prompt="Write.")
    assert (await world.command(own, "create_session", {"role": "poet"}))["payload"] == {"role": "Poet"}
    with refused("SO004", "this office has Architect, BE, DevOps, FE, PM, PO, QA"):
        await world.command(other, "create_session", {"role": "Poet"})


def bounds(field: Any) -> dict[str, Any]:
    """The limits of one field of a Python payload, by the names that the table uses."""
    found: dict[str, Any] = {}
    metadata = list(field.metadata) + [
        part for argument in get_args(field.annotation) for part in getattr(argument, "__metadata__", ())
    ]
    for part in metadata:
        for limit in part if isinstance(part, annotated_types.GroupedMetadata) else [part]:
            for name, key in (("ge", "lowest"), ("min_length", "lowest"), ("le", "highest"), ("max_length", "highest")):
                if getattr(limit, name, None) is not None:
                    found[key] = getattr(limit, name)
    return found


async def test_python_and_the_table_list_the_same_fields_and_limits(world: World) -> None:
    rows = await world.owner.ask("select * from semo.payload_fields")
    in_sql = {(row["command_type"], row["field"]): row for row in rows}
    in_python = {
        (str(kind), name): field for kind, model in PAYLOADS.items() for name, field in model.model_fields.items()
    }
    assert set(in_python) == set(in_sql)
    for key, field in in_python.items():
        assert field.is_required() == in_sql[key]["required"], key
        for name, limit in bounds(field).items():
            assert limit == in_sql[key][name], (key, name)
    assert set(PAYLOADS) == set(CommandType)


IN_NO_SESSION = (
    "read_documents", "write_documents", "merge_work", "publish_branch", "follow_pull_request", "merge_branch",
)  # fmt: skip
DOCUMENTS = st.dictionaries(
    st.sampled_from(["tasks.md", "history/a.md", "../a.md", "a/b/c.md", "a.sh", "/a.md", "A/a.md", "a.md\n", ".md"]),
    st.just("x") | st.just("") | st.integers(0, 1), max_size=2,
)  # fmt: skip
ODD_WORDS = ["BE", "a", "", "a b", "a\n", "-a", ".a", "a-b_c.d", "a/b", "a@b:c[1]", "é", "x" * 33, "x" * 65, "x" * 101]
WORDS = st.sampled_from(ODD_WORDS) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
NUMBERS = st.integers(-5, 600) | st.sampled_from([1048576, 1048577, 86400, 86401, 0.5, 1.5, 20.5])
VALUES = (
    WORDS
    | DOCUMENTS
    | NUMBERS
    | st.booleans()
    | st.none()
    | st.lists(st.sampled_from(["enter", "y", "f1"]), max_size=3)
)
NAMES = sorted({name for model in PAYLOADS.values() for name in model.model_fields} | {"unknown"})
CASES = st.tuples(st.sampled_from(list(PAYLOADS)), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))


def helped(case: tuple[CommandType, dict[str, Any]]) -> tuple[CommandType, dict[str, Any]]:
    """Most cases are stopped by an unknown field: keep only those that the type knows, and give it what it needs."""
    command_type, payload = case
    known = {name: value for name, value in payload.items() if name in PAYLOADS[command_type].model_fields}
    needed: dict[str, Any] = {"role": "BE", "text": "x", "keys": ["enter"], "cols": 80, "rows": 24}
    needed |= {"spec": "login", "documents": {"a.md": "x"}, "message": "x", "branch": "agent/BE-x"}
    required = [name for name, field in PAYLOADS[command_type].model_fields.items() if field.is_required()]
    return command_type, {**{name: needed[name] for name in required}, **known}


def test_python_takes_what_the_database_takes(shared_database: Database) -> None:
    with psycopg.connect(shared_database.dsn_for("postgres")) as connection:

        @given(case=CASES | CASES.map(helped))
        @settings(max_examples=400, deadline=None, print_blob=True)
        def they_agree(case: tuple[CommandType, dict[str, Any]]) -> None:
            command_type, payload = case
            assume(not only_the_database_claims(payload))
            session = None if may_be_without_session(command_type, payload) else uuid.uuid4()
            row = connection.execute(
                "select semo.payload_problem(%s, %s, %s)", (command_type, Jsonb(payload), session)
            ).fetchone()
            assert row
            assert (row[0] is None) == taken_by(PAYLOADS[command_type], payload), (row[0], payload)

        they_agree()


def taken_by(model: type[Payload], payload: dict[str, Any]) -> bool:
    try:
        model.model_validate_json(json.dumps(payload), strict=True)
    except ValidationError:
        return False
    return True


def may_be_without_session(command_type: CommandType, payload: dict[str, Any]) -> bool:
    """Whether the rule about sessions, which stands in the database alone, is content without one."""
    return command_type in ("create_session", *IN_NO_SESSION) or (
        command_type == "send_prompt" and ("role" in payload or "agent" in payload)
    )


def only_the_database_claims(payload: dict[str, Any]) -> bool:
    """Rules that Python leaves to the database: names that git does not take, and the role of a prompt."""
    texts = [value for value in payload.values() if isinstance(value, str)]
    git = any(".." in text or text.endswith((".", ".lock")) for text in texts)
    return (
        git
        or ("agent" in payload and payload.get("role") is None and "text" in payload)
        or payload.get("role", 0) is None
    )
