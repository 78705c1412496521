"""What had to hold of a job, round by round, and how each of it is known."""

from typing import Any

from office_server.dashboard.bits import State, element, text
from office_server.dashboard.words import Words
from office_server.routes.evidence import Evidence
from shared.states import EvidenceStatus

_TONES = {EvidenceStatus.HOLDS: "done", EvidenceStatus.FAILS: "failed", EvidenceStatus.OPEN: "waiting"}


def build_evidence(words: Words, found: list[Evidence]) -> None:
    with element("ul", "evidence"):
        for one in found:
            with element("li"):
                State(_TONES.get(one.status, "cancelled"), words.of("evidence_status", one.status))
                text("span", in_words(one.condition), "mono")
                text("span", words("job.round", number=one.round + 1), "quiet")
                if one.known_by:
                    text("span", words.of("known_by", one.known_by), "quiet")
                if one.answered_by:
                    text("span", one.answered_by, "quiet")
                tail = one.detail.get("tail") or one.detail.get("error") or one.detail.get("comment")
                if tail and one.status is EvidenceStatus.FAILS:
                    text("pre", str(tail), "json", tabindex="0", aria_label=in_words(one.condition))


def in_words(condition: dict[str, Any]) -> str:
    return ", ".join(name if value is True else f"{name}: {value}" for name, value in condition.items())
