"""Every text of the pages is in the catalogue, in each language, and nothing in it is unused."""

import ast
import re
from enum import StrEnum
from pathlib import Path

import pytest

from office_server.dashboard import frame, pages
from office_server.dashboard.words import ALL, LANGUAGES, chosen
from shared.states import ApprovalStatus, ExecutionStatus, PullRequestState, SessionStatus

MANY = 100
DASHBOARD = Path(frame.__file__).parent
SOURCES = sorted(DASHBOARD.rglob("*.py"))
NAMED_BY_THE_OFFICE = (
    "role.",
    "status.",
    "outcome.",
    "evidence.",
    "pool.",
    "error.",
    "event.",
    "attention.kind.",
    "attention.why.",
    "command_type.",
    "command_status.",
    "connection.",
    "holding_back.",
    "machines.why.",
    "waiting.",
    "plan_kind.",
    "plan_status.",
    "job_status.",
    "execution_status.",
    "evidence_status.",
    "known_by.",
    "failure_kind.",
    "spec_status.",
    "spec_why.",
    "spec_session_status.",
    "spec_event.",
    "verdict.",
    "budget_scope.",
    "policy.",
    "budget_period.",
)
"""Groups whose keys are words of the office's own, shown by `words.of`."""
SHOWN_BY = {"text": 1, "button": 0, "link": 0, "empty": 0}
"""Our pieces, and which of their arguments is what people read."""


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_the_same_things(language: str):
    texts, english = ALL[language].keys, ALL["en"].keys
    assert texts.keys() == english.keys()
    for key, text in texts.items():
        assert placeholders(text) == placeholders(english[key]), key
        assert text.strip(), key


def test_korean_is_korean():
    latin_only = {f"keys.{key}_key" for key in ("search", "move", "open", "neighbours", "escape", "help")}
    for key, text in ALL["ko"].keys.items():
        assert key in latin_only or re.search(r"[가-힣]", text), key


def test_every_text_of_the_catalogue_is_asked_for_somewhere():
    source = "\n".join(path.read_text() for path in [*SOURCES, *DASHBOARD.rglob("*.j2")])
    said = set(re.findall(r"""["']([a-z_]+\.[a-z_.]+)["']""", source))
    begun = tuple(re.findall(r"""f["']([a-z_]+\.[a-z_]*)\{""", source))
    unused = [key for key in ALL["en"].keys if key not in said and not key.startswith((*NAMED_BY_THE_OFFICE, *begun))]
    assert unused == []


def test_every_text_that_a_page_asks_for_is_in_the_catalogue():
    asked = [
        key for path in SOURCES for key in re.findall(r"""words\(\s*["']([a-z_]+\.[a-z_.]+)["']""", path.read_text())
    ]
    assert [key for key in asked if key not in ALL["en"].keys] == []
    assert len(asked) > MANY


@pytest.mark.parametrize(
    ("group", "moves"),
    [("session", SessionStatus), ("approval", ApprovalStatus), ("execution", ExecutionStatus),
     ("pull_request", PullRequestState)],
)  # fmt: skip
def test_whatever_moves_in_a_session_has_words(group: str, moves: type[StrEnum]):
    begun = {"pending"}  # is told as requested, or as started
    assert [one for one in moves if one not in begun and f"event.{group}.{one}" not in ALL["en"].keys] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_text_for_people_stands_in_the_code(path: Path):
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SHOWN_BY):
            continue
        place = SHOWN_BY[node.func.id]
        if len(node.args) > place and isinstance(node.args[place], ast.Constant):
            value = node.args[place].value  # type: ignore[attr-defined]
            if isinstance(value, str) and re.search(r"[A-Za-z가-힣]{2}", value) and value not in NOT_FOR_TRANSLATION:
                found.append(value)
    assert found == []


NOT_FOR_TRANSLATION = {"SEMO Office", "semo run \"git log --oneline; echo '[SEMO:DONE]'\" --role BE"}


def test_the_browsers_language_is_taken_unless_the_person_chose_one():
    assert chosen(None, "ko-KR,ko;q=0.9,en;q=0.8").language == "ko"
    assert chosen(None, "fr-FR,de;q=0.5").language == "en"
    assert chosen("ko", "en").language == "ko"
    assert chosen("xx", None).language == "en"


def test_each_page_has_a_title_and_a_key_of_its_own():
    pages.register()
    assert {f"page.{page.name}" for page in frame.PAGES} <= ALL["en"].keys.keys()
    keys = [page.key for page in frame.PAGES]
    assert len(set(keys)) == len(keys)
