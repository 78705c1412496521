"""Why something waits, in each language, from what the database tells of it."""

import re
from pathlib import Path

import pytest

from office_server.dashboard.waits import in_words
from office_server.dashboard.words import ALL

SQL = Path(__file__).parents[4] / "supabase" / "migrations" / "20261121001050_showing_plans.sql"
CAP = {"scope": "role", "name": "BE", "period": "day", "cap_usd": 5.0, "spent_usd": 5.125, "spent_tokens": 9}


def test_every_reason_that_the_database_has_for_a_job_is_said():
    told = SQL.read_text()
    function = told[told.index("create function semo.job_waiting(") :]
    function = function[: function.index("end $$;")]
    reasons = {*re.findall(r"semo\.waits\('(\w+)'", function), *re.findall(r"when '(\w+)' then '", function)}
    reasons |= {"cap", "blocked", "about_to_be_taken"}
    assert len(reasons) > 20
    assert [one for one in reasons if f"waiting.{one}" not in ALL["en"].keys] == []


@pytest.mark.parametrize(
    ("waiting", "english", "korean"),
    [
        ({"why": "jobs", "names": ["schema", "api"], "more": 2}, "Waits for schema, api and 2 more", "api 외 2개"),
        ({"why": "wave", "wave": 1, "left": 3}, "Waits for wave 1; jobs left in it: 3", "남은 작업: 3개"),
        ({"why": "again", "at": "2026-11-30T09:30:00+09:00", "kind": "lost", "said": "{gone}"},
         "Tries again at 00:30:00 UTC after “the machine vanished”: {gone}", "00:30:00 UTC에 다시 시도합니다: {gone}"),
        ({"why": "cap", "cap": CAP}, "A cap is reached: Role BE, each day (UTC): $5.12 of $5.00", "역할 BE"),
        ({"why": "no_client_online"}, "No machine that could take this is online", "온라인 컴퓨터가 없습니다"),
        ({"why": "of a later server"}, "of a later server", "of a later server"),
    ],
)  # fmt: skip
def test_it_is_said_in_the_language_of_the_reader(waiting: dict[str, object], english: str, korean: str):
    assert in_words(ALL["en"], waiting) == english
    assert korean in in_words(ALL["ko"], waiting)
