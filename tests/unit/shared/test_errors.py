"""The error tree is whole: every class has its own code, a status, a sentence, a place in the drawing, and a use."""

import re
from pathlib import Path

import pytest

import office_server.backend.connection
import office_server.plan_text
import office_server.problems
import office_server.spec_tasks.tasks_md
import shared.errors
from shared.errors import BY_SQLSTATE, OfficeError, by_code

ROOT = Path(__file__).parents[3]
WHOLE_TREE = list(by_code().values())
SHARED = [error for error in WHOLE_TREE if error.__module__ == shared.errors.__name__]
LEAVES = [error for error in WHOLE_TREE if not error.__subclasses__()]
MODULES = [
    shared.errors, office_server.problems, office_server.backend.connection,
    office_server.plan_text, office_server.spec_tasks.tasks_md,  # what is wrong in a document, and where
]  # fmt: skip


def walk(error: type[OfficeError]) -> list[type[OfficeError]]:
    return [error, *(below for child in error.__subclasses__() for below in walk(child))]


def test_errors_are_defined_in_few_places_only():
    assert {error.__module__ for error in WHOLE_TREE} == {module.__name__ for module in MODULES}


def test_no_two_errors_share_a_code():
    assert len(by_code()) == len(set(walk(OfficeError)))


@pytest.mark.parametrize("error", WHOLE_TREE, ids=lambda error: error.__name__)
def test_each_error_has_a_status_and_a_sentence_for_people(error: type[OfficeError]):
    assert 400 <= error.status <= 599
    assert error.title.endswith(".")


@pytest.mark.parametrize("error", SHARED, ids=lambda error: error.__name__)
def test_an_error_without_words_of_its_own_says_its_title(error: type[OfficeError]):
    assert error("what happened").detail == "what happened"
    assert error().detail == error.title


@pytest.mark.parametrize("error", SHARED, ids=lambda error: error.__name__)
def test_each_error_stands_in_the_drawing_of_the_tree(error: type[OfficeError]):
    assert error.__name__ in (shared.errors.__doc__ or "")


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.__name__)
def test_each_error_is_raised_or_mapped_or_the_database_s_own(error: type[OfficeError]):
    raised = any(
        re.search(rf"(?<!class ){error.__name__}\(", path.read_text())
        for package in ("office_server", "remote_client", "shared")
        for path in (ROOT / package).rglob("*.py")
    )
    said_in_sql = any(f"'{error.code}'" in path.read_text() for path in (ROOT / "supabase/migrations").glob("*.sql"))
    assert raised or said_in_sql or error in BY_SQLSTATE.values()


def test_every_sqlstate_of_ours_is_mapped():
    used = {
        word
        for path in (ROOT / "supabase" / "migrations").glob("*.sql")
        for word in path.read_text().replace("'", " ").split()
        if word.startswith("SO00")
    }
    assert used <= set(BY_SQLSTATE)
