"""The policy in force on a machine, as it told the office: what may run there, in which folders, and how much of it."""

from typing import Any, cast

from nicegui import ui

from office_server.dashboard.bits import attributed, element, text
from office_server.dashboard.dialogs import close_button
from office_server.dashboard.visit import Visit
from office_server.dashboard.words import Words
from office_server.picture_rows import Picture, SeenMachine
from shared.ids import ClientId

_NOBODY = "–"
_LIMITS = ("max_sessions", "run_time_s", "prompt_max_bytes", "min_free_memory_mb")


class PolicyDialog:
    """Follows the machine: a policy that its owner changes is another one here, too."""

    def __init__(self, visit: Visit) -> None:
        self._words = visit.words
        self._id: ClientId | None = None
        self._shown: object = None
        self._dialog = ui.dialog()
        with self._dialog, element("div", "sheet opened policy"):
            with element("header", "head"):
                self._title = text("h2", "")
                element("span", "space")
                close_button(self._words, self._dialog.close)
            self._box = element("div", "tab", tabindex="0")

    def open(self, machine: SeenMachine) -> None:
        self._id = machine.id
        self._show(machine)
        self._dialog.open()

    def look(self, picture: Picture) -> None:
        machine = next((one for one in picture.machines if one.id == self._id), None)
        if machine is not None and self._dialog.value:
            self._show(machine)

    def _show(self, machine: SeenMachine) -> None:
        if self._shown == (machine.id, machine.name, machine.policy):
            return
        self._shown = machine.id, machine.name, machine.policy
        words, policy = self._words, machine.policy or {}
        title = words("policy.title", name=machine.name)
        attributed(self._dialog, aria_label=title).update()
        self._title.show(title)
        self._box.clear()
        with self._box:
            text("p", words("policy.hint"), "quiet")
            _agents(words, policy)
            with element("div", "two"):
                with element("section"):
                    text("h3", words("policy.where"))
                    _facts(words, {
                        "allowed_roots": policy.get("allowed_roots"), "environment": policy.get("environment"),
                        "checks": policy.get("checks"),
                    })  # fmt: skip
                    text("h3", words("policy.limits"))
                    _facts(words, _in_order(policy, "limits", *_LIMITS))
                with element("section"):
                    text("h3", words("policy.leaves"))
                    pushes, approvals = _part(policy, "pull_requests"), _part(policy, "approvals")
                    _facts(words, {
                        "push": pushes.get("push"), "merge": pushes.get("merge"), "remote": approvals.get("remote"),
                        "tools": approvals.get("tools"), "on_revoked": policy.get("on_revoked"),
                    })  # fmt: skip
                    text("h3", words("policy.recordings"))
                    _facts(words, _in_order(policy, "recordings", "enabled", "keep_days", "max_mb"))


def _agents(words: Words, policy: dict[str, Any]) -> None:
    text("h3", words("policy.agents"))
    columns = ("permission_mode", "models", "mcp", "office_tools")
    with element("div", "sheet scroll", tabindex="0"), element("table", "table"):
        with element("thead"), element("tr"):
            for column in ("agent", *columns):
                text("th", words(f"policy.{column}"), scope="col")
        with element("tbody"):
            for name, rule in _part(policy, "agents").items():
                with element("tr"):
                    default = f" · {words('policy.default')}" if name == policy.get("default_agent") else ""
                    text("td", f"{name}{default}")
                    for column in columns:
                        value = rule.get(column)
                        text("td", words("policy.any") if column == "models" and value is None else said(words, value))


def _facts(words: Words, facts: dict[str, Any]) -> None:
    with element("dl", "facts"):
        for name, value in facts.items():
            text("dt", words.of("policy", name))
            everything = name == "tools" and value is None
            text("dd", words("policy.any") if everything else said(words, value))


def _part(policy: dict[str, Any], name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", policy.get(name) or {})


def _in_order(policy: dict[str, Any], part: str, *names: str) -> dict[str, Any]:
    """The database keeps no order."""
    return {name: _part(policy, part).get(name) for name in names}


def said(words: Words, value: object) -> str:
    """A value of the policy for people."""
    if isinstance(value, bool):
        return words("policy.yes" if value else "policy.no")
    if isinstance(value, list):
        return ", ".join(str(one) for one in cast("list[object]", value)) or _NOBODY
    if isinstance(value, int | float):
        return f"{value:,.0f}"
    return _NOBODY if value is None else words.of("policy.word", str(value))
