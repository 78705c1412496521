"""The table of what to look for in the sessions of an office: the built-in one, and what the office has added."""

from collections.abc import Iterable
from typing import Any

import structlog
from pydantic import ValidationError

from remote_client.monitor.patterns import PatternTable, built_in_patterns
from shared.patterns import MOST_PATTERNS, OfficePattern

log = structlog.get_logger(__name__)


def patterns_of(office: str, added: Iterable[Any]) -> PatternTable:
    """What is no pattern (somebody wrote it into the table by hand) is left out, which the log says."""
    taken: list[OfficePattern] = []
    for one in list(added)[:MOST_PATTERNS]:
        try:
            taken.append(OfficePattern.model_validate(one))
        except ValidationError as error:
            wrong = "; ".join(problem["msg"] for problem in error.errors(include_url=False, include_input=False))
            log.warning("a pattern of the office is left out", office=office, pattern=str(one)[:80], why=wrong)
    return built_in_patterns().extended(taken)
