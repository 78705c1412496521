"""Why something waits and which cap is reached, in a person's language, from the office's stable words and numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from office_server.dashboard.charts import amount
from office_server.dashboard.words import Words
from office_server.routes.plan_answers import JobSeen
from shared.states import BudgetScope

Told = Mapping[str, Any]


def why(words: Words, job: JobSeen) -> str:
    """Why a job waits; of one that is over, what went wrong; else empty."""
    return in_words(words, job.waiting) if job.waiting else job.error or ""


def in_words(words: Words, waiting: Told) -> str:
    """`waiting`: as `semo.job_waiting` tells it."""
    names = ", ".join(waiting.get("names", ()))
    if waiting.get("more"):
        names = words("waiting.and_more", names=names, more=waiting["more"])
    at, cap = waiting.get("at"), waiting.get("cap")
    said: dict[str, Any] = {
        "said": "", **waiting, "names": names,
        "kind": words.of("failure_kind", waiting.get("kind", "")),
        "at": f"{datetime.fromisoformat(at).astimezone(UTC):%H:%M:%S} UTC" if at else "",
        "cap": cap_in_words(words, cap) if cap else "",
    }  # fmt: skip
    return words.of("waiting", waiting["why"], **said)


def cap_in_words(words: Words, budget: Told) -> str:
    """`budget`: as `semo.budget_state` tells it."""
    of = words.of("budget_scope", budget["scope"])
    if budget["scope"] != BudgetScope.OFFICE:
        of = f"{of} {budget.get('label') or budget['name']}"
    name, spent, cap = reached(budget)
    measure = "cost_usd" if name == "cap_usd" else "tokens"
    said = words(f"spending.of_{measure}", spent=amount(spent, measure), cap=amount(cap, measure))
    return words("waiting.cap_of", of=of, period=words.of("budget_period", budget["period"]), said=said)


def reached(budget: Told) -> tuple[str, float, float]:
    """Which of its two caps is the one that holds, what is spent of it, and the cap."""
    if budget.get("cap_usd") is not None and (
        budget["spent_usd"] >= budget["cap_usd"] or budget.get("cap_tokens") is None
    ):
        return "cap_usd", budget["spent_usd"], budget["cap_usd"]
    return "cap_tokens", budget["spent_tokens"], budget["cap_tokens"]
