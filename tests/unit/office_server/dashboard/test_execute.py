"""What the Execute and Costs pages make of what was typed and spent, without a browser."""

from datetime import date

import pytest
from pydantic import BaseModel, Field, ValidationError

from office_server.dashboard.charts import Bar, amount, by_day, every_day, side_by_side
from office_server.dashboard.prompt_fields import prompts_in
from office_server.dashboard.wrong import wrong


@pytest.mark.parametrize(
    ("many", "prompts"),
    [
        ("one", ["a\n\n---\nb\nc"]),
        ("lines", ["a", "---", "b", "c"]),
        ("blocks", ["a", "b\nc"]),
    ],
)
def test_a_text_holds_one_prompt_or_many(many: str, prompts: list[str]):
    assert prompts_in("a\n\n---\nb\nc\n", many) == prompts


def test_an_empty_text_holds_no_prompt():
    assert [prompts_in(" \n---\n ", many) for many in ("one", "blocks")] == [["---"], []]


def test_days_on_which_nothing_was_spent_are_days_too():
    bars = every_day({date(2026, 2, 28): 2.0}, date(2026, 2, 27), date(2026, 3, 1))
    assert [(bar.label, bar.value) for bar in bars] == [("2026-02-27", 0.0), ("2026-02-28", 2.0), ("2026-03-01", 0.0)]


def test_a_cap_above_all_that_was_spent_is_within_the_chart():
    assert by_day([Bar("2026-02-28", 2.0)], 10, "cap")["yAxis"]["max"] == pytest.approx(11)
    assert "max" not in by_day([Bar("2026-02-28", 20.0)], 10, "cap")["yAxis"]
    assert by_day([], None, "cap")["series"][0]["markLine"]["data"] == []


def test_the_dearest_stands_on_top_and_a_cap_is_marked_where_there_is_one():
    drawn = side_by_side([Bar("BE", 3, cap=5), Bar("FE", 1)])
    assert drawn["yAxis"]["data"] == ["FE", "BE"]
    assert [mark["value"] for mark in drawn["series"][1]["data"]] == [[5, "BE"]]


def test_small_amounts_are_not_said_to_be_nothing():
    assert [amount(value, "cost_usd") for value in (0, 0.0004, 12.5)] == ["$0.00", "$0.0004", "$12.50"]
    assert amount(77852, "tokens") == "77,852"


def test_what_is_wrong_is_told_with_its_place():
    class Asked(BaseModel):
        cap: float = Field(gt=0)

    with pytest.raises(ValidationError) as refused:
        Asked(cap=0)
    assert str(wrong(refused.value).detail).startswith("cap: ")
