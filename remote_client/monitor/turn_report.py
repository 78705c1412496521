"""What is told at the end of a turn: the markers it said, what it committed and opened, and the verdict."""

from typing import Any

from remote_client.monitor.findings import Evidence, Finding, FindingKind
from remote_client.monitor.patterns import Pattern, PatternKind, PatternTable
from remote_client.monitor.screen_reader import ScreenReader, found_in
from remote_client.monitor.turn import Turn, Verdict
from shared.channels import DONE_MARKER
from shared.ids import ByteOffset
from shared.states import TurnOutcome

_KINDS = {PatternKind.PULL_REQUEST: FindingKind.PULL_REQUEST, PatternKind.COMMIT: FindingKind.COMMIT}


def report_of(
    turn: Turn,
    verdict: Verdict,
    table: PatternTable,
    reader: ScreenReader,
    reported: set[str],
    at: ByteOffset,
    now: float,
    message: str | None,
) -> list[Finding]:
    """`reported`: what was told of before and is not told again; grows. `message`: the agent's last words, if known."""
    found: list[Finding] = []
    for pattern in table.of_kind(PatternKind.COMMIT, PatternKind.PULL_REQUEST):
        for value, place, detail in _facts(turn, pattern, reader, at):
            if value not in reported:
                reported.add(value)
                found.append(Finding(_KINDS[pattern.kind], place, now, detail={"value": value, **detail}))
    evidence = list(turn.evidence)
    done = False
    for pattern in table.of_kind(PatternKind.MARKER):
        where = _said_in(turn, pattern, reader, message)
        if where is None:
            continue
        place = next((end for hit, end in reversed(turn.hits) if hit.pattern.name == pattern.name), at)
        said: Evidence = {"kind": "marker", "name": pattern.name, "in": where, "offset": place}
        evidence.append(said)
        done = done or pattern.literal == DONE_MARKER
        found.append(Finding(FindingKind.MARKER, place, now, [said], {"name": pattern.name, "text": pattern.literal}))
    last: Evidence = {"offset": at} | verdict.evidence
    if last not in evidence:
        evidence.append(last)
    if verdict.outcome is TurnOutcome.ERROR and verdict.error is not None:
        found.append(Finding(FindingKind.ERROR, at, now, [last], verdict.error))
    if verdict.outcome is TurnOutcome.INTERRUPTED:
        found.append(Finding(FindingKind.INTERRUPTED, at, now, [last]))
    span = {"output_start": turn.start, "output_end": at}
    found.append(Finding(FindingKind.TURN_ENDED, at, now, evidence, span, outcome=verdict.outcome, marker=done))
    return found


def _said_in(turn: Turn, pattern: Pattern, reader: ScreenReader, message: str | None) -> str | None:
    """Where the agent itself said the marker."""
    if message is not None:
        return "message" if pattern.regex.search(message) else None
    if pattern.name in reader.spoken():
        return "screen"
    if reader.tells_speakers:
        return None
    # Lines alone: each time it was typed it may have been echoed once.
    seen = sum(hit.pattern.name == pattern.name for hit, _ in turn.hits)
    return "output" if seen > len(pattern.regex.findall(turn.prompt)) else None


def _facts(
    turn: Turn, pattern: Pattern, reader: ScreenReader, at: ByteOffset
) -> list[tuple[str, ByteOffset, dict[str, Any]]]:
    """On the screen, and, for what left it, in the bytes: where a value may have been painted piece by piece."""
    seen = {hit.value: (end, dict(hit.detail)) for hit, end in turn.hits if hit.pattern.name == pattern.name}
    values = found_in(reader.look(), pattern) if reader.tells_speakers else []
    values += [value for value in seen if not any(other.startswith(value) for other in values)]
    whole = [one for one in values if not any(other != one and other.startswith(one) for other in values)]
    return [(value, *seen.get(value, (at, {}))) for value in whole if value not in turn.prompt]
