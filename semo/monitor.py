"""`semo monitor replay`: what the monitor finds in a recording of a terminal, as JSON lines."""

import sys
from pathlib import Path
from typing import Any

from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.profile import known_agents
from remote_client.monitor.recording import read_recording
from remote_client.monitor.replay import guess_agent, replay
from semo import console
from semo.problems import Exit, SemoError
from shared.errors import InvalidPayload
from shared.states import TurnOutcome

TOLD = {
    FindingKind.TURN_STARTED,
    FindingKind.TURN_ENDED,
    FindingKind.NEEDS_PERMISSION,
    FindingKind.INTERRUPTED,
    FindingKind.MARKER,
    FindingKind.COMMIT,
    FindingKind.PULL_REQUEST,
    FindingKind.ERROR,
    FindingKind.EXITED,
}


def replay_recording(file: Path, agent: str | None, piece_bytes: int | None) -> None:
    """Prints each finding as one line. `piece_bytes`: the output is cut anew into pieces of this size; 0: not at all.

    Raises:
        SemoError: the file cannot be read, or is no recording; there is no such agent.
    """
    if agent is not None and agent not in known_agents():
        raise SemoError(f"no agent is called {agent!r}", do=f"known: {', '.join(known_agents())}", exit_code=Exit.USAGE)
    try:
        recording = read_recording(file.read_text("utf-8", "surrogateescape"))
    except OSError as error:
        raise SemoError(f"cannot read {file}: {error.strerror}", exit_code=Exit.USAGE) from error
    except InvalidPayload as error:
        raise SemoError(f"{file}: {error.detail}", exit_code=Exit.USAGE) from error
    if recording.cut_off:
        print(f"{file}: the last line is cut off and was left out", file=sys.stderr)  # noqa: T201 - this is the output
    if piece_bytes is not None:
        recording = recording.output_in_pieces_of(piece_bytes)
    for finding in replay(recording, agent or guess_agent(recording)):
        if finding.kind in TOLD:
            console.machine(as_json(finding))


def as_json(finding: Finding) -> dict[str, Any]:
    told: dict[str, Any] = {"t": round(finding.seen_at, 4), "kind": finding.kind.value}
    if finding.outcome is not None:
        # Nobody can be asked about a recording: what is not known stays lost.
        unknown = finding.outcome in (TurnOutcome.WAITING_INPUT, TurnOutcome.NEEDS_PERMISSION)
        told["outcome"] = (TurnOutcome.LOST if unknown else finding.outcome).value
    if finding.marker is not None:
        told["marker"] = finding.marker
    told["evidence"] = finding.evidence
    told["detail"] = {"offset": finding.at, **finding.detail}
    return told
