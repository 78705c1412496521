"""Finds what is new and wants the person: requests, questions, terminals that ask, failures. Each is told once."""

from collections.abc import Iterator
from dataclasses import dataclass

from desktop_client.machines import Machine
from desktop_client.wording import Words

FAILURE_KINDS = ("send_prompt", "create_session", "check_work", "merge_branch", "publish_branch", "merge_work")
"""Of what else fails, the office knows; nobody at the machine needs to look up for it."""


@dataclass(frozen=True)
class Notice:
    """`page` and `subject`: the place that it leads to."""

    key: str
    title: str
    text: str
    machine: str
    page: str
    subject: str


class Notices:
    def __init__(self, words: Words) -> None:
        self._words = words
        self._told: set[str] = set()
        self._met: set[str] = set()

    def of(self, machine: Machine) -> list[Notice]:
        """Those that were not told yet. What failed before the machine was first looked at is no news."""
        found = list(self._all(machine))
        is_first = machine.key not in self._met
        if machine.running and machine.state is not None:
            self._met.add(machine.key)
        new = [
            notice
            for notice in found
            if notice.key not in self._told and not (is_first and notice.page == "hour")
        ]  # fmt: skip
        mine = f"{machine.key} "
        present = {notice.key for notice in found}
        self._told = {key for key in self._told if not key.startswith(mine) or key in present} | present
        return new

    def _all(self, machine: Machine) -> Iterator[Notice]:
        words, key = self._words, machine.key
        for one in machine.approvals:
            title = words("told.approval", role=one.role, tool=one.tool)
            name = f"{key} approval {one.approval_id}"
            yield Notice(name, title, words("told.approval_why"), key, "waiting", f"approval {one.approval_id}")
        for one in machine.questions:
            title = words("told.question", role=one.role)
            name = f"{key} question {one.question_id}"
            yield Notice(name, title, one.text[:200], key, "waiting", f"question {one.question_id}")
        for one in machine.in_terminal():
            title = words("told.terminal", role=one.role)
            name = f"{key} terminal {one.session_id} {one.status}"
            yield Notice(name, title, words("waiting.in_terminal_why"), key, "sessions", one.session_id)
        for one in machine.asked:
            if one.status == "failed" and one.kind in FAILURE_KINDS:
                title = words("told.failed", kind=words.of("kind", one.kind))
                name = f"{key} failed {one.command_id} {one.attempt}"
                yield Notice(name, title, (one.error or one.text)[:200], key, "hour", one.command_id)
