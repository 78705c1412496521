"""The parts of the office server that need no database: codes, tries, what can be stored, words, personas."""

import re
from typing import Any

import pytest

from office_server import enrollment, waiting
from office_server.asking import check_storable
from office_server.backend.connection import MigrationsMissing, error_for
from office_server.limits import TriesPerMinute
from office_server.personas import render
from office_server.problems import CommandFailed, TooManyRequests
from office_server.tokens import hash_of
from shared.channels import DONE_MARKER
from shared.errors import BY_SQLSTATE, BackendDown, InvalidPayload, OfficeError


def test_a_code_is_the_same_however_it_is_typed():
    assert enrollment.hash_of("7KQ2-M9FD") == enrollment.hash_of(" 7kq2 m9fd\n")
    assert enrollment.hash_of("7KQ2-M9FD") != enrollment.hash_of("7KQ2-M9FE")


def test_codes_have_no_characters_that_are_taken_for_each_other():
    assert not set("01OILU") & set(enrollment.ALPHABET)
    assert len(set(enrollment.ALPHABET)) == len(enrollment.ALPHABET)


def test_only_a_hash_of_a_token_is_kept():
    assert re.fullmatch(r"[0-9a-f]{64}", hash_of("semo_secret"))


def test_tries_are_counted_per_address_and_come_back_after_a_minute():
    now = 0.0
    tries = TriesPerMinute(2, clock=lambda: now)
    tries.note("a")
    tries.note("a")
    with pytest.raises(TooManyRequests) as refused:
        tries.note("a")
    assert refused.value.context["retry_after_s"] == 61
    tries.note("b")
    now = 60.0
    tries.note("a")


def test_a_try_that_was_right_does_not_count():
    tries = TriesPerMinute(2, clock=lambda: 0.0)
    tries.note("a")
    for _ in range(5):
        tries.note("a")
        tries.was_right("a")
    tries.note("a")
    with pytest.raises(TooManyRequests):
        tries.note("a")


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"text": "a\0b"}, "payload.text holds a NUL"),
        ({"text": "\ud800"}, "payload.text holds half of a character"),
        ({"keys": ["enter", "\0"]}, "payload.keys[1] holds a NUL"),
        ({"timeout_s": float("nan")}, "payload.timeout_s is not a number"),
        ({"a\0": 1}, "a name in payload holds a NUL"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_place(payload: dict[str, Any], where: str):
    with pytest.raises(InvalidPayload, match=re.escape(where)):
        check_storable(payload, "payload")


def test_what_can_be_stored_passes():
    check_storable({"text": "grün\n\x1b[0m", "n": [1, 2.5, None, True]}, "payload")


@pytest.mark.parametrize("code", BY_SQLSTATE)
def test_each_code_of_the_database_becomes_its_error(code: str):
    error = error_for(code, "what happened", "what to do")
    assert type(error) is BY_SQLSTATE[code]
    assert (error.detail, error.advice) == ("what happened", "what to do")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("57P01", BackendDown), ("53300", BackendDown), ("503", BackendDown), ("PGRST001", BackendDown),
        ("401", BackendDown), ("PGRST205", MigrationsMissing), ("22021", InvalidPayload), ("22009", InvalidPayload),
    ],
)  # fmt: skip
def test_other_codes_of_supabase_are_told_apart(code: str, kind: type[OfficeError]):
    assert type(error_for(code, "", None)) is kind


def test_an_unknown_code_shows_nothing_of_the_inside():
    error = error_for("XX000", "relation secret_table is broken", None)
    assert type(error) is OfficeError
    assert "secret_table" not in error.detail


def test_a_failed_command_answers_with_the_status_of_its_own_error():
    failed = CommandFailed("policy_forbids", "rule allowed_roots", command_id="1")
    assert (failed.error_code, failed.http_status) == ("policy_forbids", 403)
    unknown = CommandFailed("turn_error", None)
    assert (unknown.error_code, unknown.http_status) == ("turn_error", 502)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no_client", "has joined"),
        ("no_client_online", "is online: mac since 2026-11-21 12:04 UTC, new never was"),
        ("no_client_capable", "has the agent claude: big"),
        ("all_clients_busy", "taken on big"),
        ("office_full", "as many sessions"),
        ("behind_another_command", "comes first"),
        ("circuit_open", "made on big; it is tried again"),
        ("low_memory", "memory for another session on big"),
        ("not_before", "after a pause"),
        ("deadline_passed", "it expires"),
        ("a_new_reason", "a_new_reason"),
    ],
)
def test_why_a_command_waits_is_said_in_words(reason: str, words: str):
    clients = [
        {"name": "big", "online": True, "last_seen_at": "2026-11-21T12:30:00+00:00"},
        {"name": "mac", "online": False, "last_seen_at": "2026-11-21T12:04:11+00:00"},
        {"name": "new", "online": False, "last_seen_at": None},
    ]
    if reason == "no_client_online":
        clients = clients[1:]
    said = waiting.in_words({"reason": reason, "clients": clients}, {"agent": "claude"})
    assert said is not None
    assert words in said.detail


def test_a_persona_says_who_one_is_what_is_ones_own_and_how_to_say_done():
    text = render("BE", "Backend Engineer", "You build services. {{ not_a_template }}", ["src/**"], ["SQL & <tags>"])
    assert text.startswith("# You are Backend Engineer (BE)\n\nYou build services. {{ not_a_template }}\n")
    assert "- `src/**`\n" in text
    assert "- SQL & <tags>\n" in text
    assert f"\n\n{DONE_MARKER}\n\n" in text


def test_a_persona_without_scope_or_skills_has_no_empty_sections():
    text = render("X", "X", "Do.", [], [])
    assert "What is yours" not in text
    assert "good at" not in text
    assert "\n\n\n" not in text


def test_only_the_machines_that_are_kept_by_the_reason_are_named():
    clients = [
        {"name": "broken", "online": True, "last_seen_at": None, "reason": "circuit_open"},
        {"name": "other", "online": True, "last_seen_at": None, "reason": "not_capable"},
    ]
    said = waiting.in_words({"reason": "circuit_open", "clients": clients})
    assert said is not None
    assert "made on broken;" in said.detail


def test_a_command_that_waits_for_a_repository_names_it_and_the_machines_that_lack_it():
    clients = [
        {"name": "mini", "online": True, "reason": "no_repository", "repository": {"path": "~/src/web"}},
        {"name": "macbook", "online": True, "reason": "no_repository", "repository": None},
        {"name": "tower", "online": False, "reason": "offline"},
    ]
    told = waiting.in_words({"reason": "no_repository", "clients": clients})
    assert told is not None
    assert told.detail == (
        "The repository of this office is not on any machine that is online:"
        " ~/src/web is not there on mini, the policy of macbook names none for it."
    )
    assert told.advice is not None
