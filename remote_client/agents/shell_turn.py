"""One turn of a bash: gathers evidence from its signs and lines, and says how the turn ended."""

import asyncio
import re

from remote_client.agents.adapter import Evidence, TurnEnd
from remote_client.agents.shell_stream import MARKER, Line, Sign
from remote_client.terminals import UNSEEN_EXIT, ExitStatus
from shared.ids import ByteOffset
from shared.states import TurnOutcome

_PULL_REQUEST = re.compile(
    rb"https?://[^\s\"'<>]+?/(?:pull|merge_requests|pull-requests|pulls)/\d+(?![^\s\"'<>)\].,;:/?#])", re.ASCII
)
PULL_REQUESTS_KEPT = 20


class ShellTurn:
    """Made when the prompt is typed; `ended` holds the verdict."""

    def __init__(self, script: str, shell_pid: int, start: ByteOffset) -> None:
        self.start = start
        self.ended: asyncio.Future[TurnEnd] = asyncio.get_running_loop().create_future()
        self.interrupted_by: Evidence | None = None
        self.touched = False
        self._shell_pid = shell_pid
        self._echoed_markers = sum(line.strip().encode() == MARKER for line in script.splitlines())
        self._ran = False
        self._certain_markers: list[ByteOffset] = []
        self._uncertain_markers: list[ByteOffset] = []
        self._latest_markers: list[ByteOffset] = []  # since the last command began
        self._pull_requests: list[str] = []

    @property
    def _marker(self) -> ByteOffset | None:
        """Where the agent said that it is done.

        Where echo and output look alike, each line of the script that is a marker may have been echoed once.
        """
        certain = self._certain_markers + self._latest_markers
        if certain:
            return certain[-1]
        if len(self._uncertain_markers) > self._echoed_markers:
            return self._uncertain_markers[-1]
        return None

    def line(self, line: Line) -> None:
        if not line.is_marker:
            for found in _PULL_REQUEST.findall(line.text):
                address = found.decode(errors="replace")
                if address not in self._pull_requests and len(self._pull_requests) < PULL_REQUESTS_KEPT:
                    self._pull_requests.append(address)
        elif line.certain:
            self._latest_markers.append(line.offset)
        else:
            self._uncertain_markers.append(line.offset)

    def sign(self, sign: Sign) -> None:
        if sign.kind in ("runs", "ended"):
            self._ran = True
            # A verbose shell echoes a command before its mark, where it looks like output of the one before.
            doubtful = sign.verbose and sign.kind == "runs"
            (self._uncertain_markers if doubtful else self._certain_markers).extend(self._latest_markers)
            self._latest_markers.clear()
        elif sign.kind == "continuation":
            evidence: Evidence = {"kind": "prompt", "prompt": "continuation", "offset": sign.offset}
            self._finish(TurnOutcome.WAITING_INPUT, evidence, sign.offset)
        elif sign.kind == "prompt" and self._ran:
            self._prompt_is_back(sign)

    def _prompt_is_back(self, sign: Sign) -> None:
        nested = bool(self._shell_pid) and sign.pid != self._shell_pid
        evidence: Evidence = {"kind": "prompt", "prompt": "command", "status": sign.status, "offset": sign.offset}
        if sign.hidden:
            evidence["prompt"] = "hidden"
        if nested:
            evidence["shell"] = "another"
        if self._marker is not None:
            outcome = TurnOutcome.DONE
        elif sign.status > 0 and not nested:
            outcome = TurnOutcome.ERROR
            if self.touched and sign.status == 130:
                outcome = TurnOutcome.INTERRUPTED
        else:
            outcome = TurnOutcome.WAITING_INPUT
        self._finish(outcome, evidence, sign.offset)

    def shell_ended(self, exit_status: ExitStatus, offset: ByteOffset) -> None:
        evidence: Evidence = {"kind": "exit", "offset": offset}
        if exit_status.signal is not None:
            evidence["signal"] = exit_status.signal
        elif exit_status == UNSEEN_EXIT:
            evidence["kind"] = "host_lost"
        else:
            evidence["status"] = exit_status.status
        outcome = TurnOutcome.LOST if exit_status == UNSEEN_EXIT else TurnOutcome.ERROR
        if self._marker is not None:
            outcome = TurnOutcome.DONE
        self._finish(outcome, evidence, offset, alive=False)

    def _finish(self, outcome: TurnOutcome, last: Evidence, end: ByteOffset, *, alive: bool = True) -> None:
        if self.ended.done():
            return
        evidence: list[Evidence] = []
        marker = self._marker
        if marker is not None:
            evidence.append({"kind": "marker", "offset": marker})
        if self.interrupted_by is not None:
            outcome = TurnOutcome.INTERRUPTED
            evidence.append(self.interrupted_by | {"offset": end})
        evidence.append(last)
        self.ended.set_result(TurnEnd(outcome, marker is not None, evidence, end, alive, self._pull_requests))
