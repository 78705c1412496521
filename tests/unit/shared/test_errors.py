"""The error tree is whole: every class has its own code, a status, a sentence, a place in the drawing, and a use."""

from pathlib import Path

import pytest

import shared.errors
from shared.errors import BY_SQLSTATE, OfficeError, by_code

ROOT = Path(__file__).parents[3]
CLASSES = list(by_code().values())


def walk(error: type[OfficeError]) -> list[type[OfficeError]]:
    return [error, *(below for child in error.__subclasses__() for below in walk(child))]


def test_no_two_errors_share_a_code():
    assert len(by_code()) == len(set(walk(OfficeError)))


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_error_has_a_status_and_a_sentence_for_people(error: type[OfficeError]):
    assert 400 <= error.status <= 599
    assert error.title.endswith(".")
    assert error("what happened").detail == "what happened"
    assert error().detail == error.title


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_error_stands_in_the_drawing_of_the_tree(error: type[OfficeError]):
    assert error.__name__ in (shared.errors.__doc__ or "")


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_error_is_raised_or_mapped_somewhere(error: type[OfficeError]):
    if error.__subclasses__():
        pytest.skip("a branch of the tree; its leaves are raised")
    if error in BY_SQLSTATE.values():
        return
    sources = [
        path.read_text() for package in ("office_server", "remote_client") for path in (ROOT / package).rglob("*.py")
    ]
    assert any(f"{error.__name__}(" in source for source in sources)


def test_every_sqlstate_of_ours_is_mapped():
    used = {
        word
        for path in (ROOT / "supabase" / "migrations").glob("*.sql")
        for word in path.read_text().replace("'", " ").split()
        if word.startswith("SO00")
    }
    assert used <= set(BY_SQLSTATE)
