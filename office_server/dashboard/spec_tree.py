"""The work sessions of a spec task as a tree, parents above children, and the timeline of what was coordinated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import Ago, State, element, text
from office_server.dashboard.visit import Visit
from office_server.dashboard.waits import in_words
from office_server.dashboard.words import Words
from office_server.spec_rows import SpecEvent

Row = Mapping[str, Any]
_TOLD = (
    "text", "answer", "title", "problem", "branch", "commit", "version", "round", "to", "percent", "role", "depends_on",
    "files", "comments",
)  # fmt: skip
"""What of an event's detail is worth reading, in this order."""
_MOST_EVENTS = 400


def build_tree(visit: Visit, box: ui.element, sessions: Sequence[Row], plan: object) -> None:
    box.clear()
    known = {str(one["label"]): one for one in sessions}
    roots = [one for one in sessions if one["parent"] not in known]

    def below(parent: Row) -> list[Row]:
        return [one for one in sessions if one["parent"] == parent["label"]]

    with box:
        if not sessions:
            text("p", visit.words("spec.no_sessions"), "quiet")
        _level(visit, roots, known, below, plan)


def _level(
    visit: Visit, sessions: Sequence[Row], known: Mapping[str, Row], below: Callable[[Row], Sequence[Row]], plan: object
) -> None:
    if not sessions:
        return
    with element("ul", "tree"):
        for one in sessions:
            with element("li"):
                _session(visit, one, known, plan)
                _level(visit, below(one), known, below, plan)


def _not_done(words: Words, one: Row, known: Mapping[str, Row]) -> list[str]:
    """Of the sessions that it comes after, those that it waits for."""
    return [
        f"{label} ({words.of('spec_session_status', known[label]['status'])})" if label in known else label
        for label in one["depends_on"]
        if label not in known or known[label]["status"] != "done"
    ]


def _session(visit: Visit, one: Row, known: Mapping[str, Row], plan: object) -> None:
    words = visit.words
    with element("div", "sheet work"):
        with element("div", "top"):
            text("strong", str(one["label"]), "mono")
            text("span", str(one["title"]), "said")
            State(str(one["status"]), words.of("spec_session_status", str(one["status"])))
        with element("div", "foot quiet"):
            text("span", str(one["role"]))
            if one["kind"] == "spawned":
                text("span", words("spec.spawned"))
            if one["depends_on"]:
                text("span", words("spec.after", labels=", ".join(one["depends_on"])))
            if one["tries"] > 1:
                text("span", words("job.execution", number=one["tries"]))
            if one["session_id"]:
                text("a", words("job.to_session"), href=visit.address("sessions", session=one["session_id"]))
            if one["job_id"] and plan is not None:
                text("a", words("spec.to_job"), href=visit.address("plans", plan=plan, job=one["job_id"]))
        percent = f" ({one['percent']} %)" if one["percent"] is not None and one["progress"] else ""
        waits = in_words(words, one["waiting"]) if one["waiting"] else ""
        if one["status"] == "waiting" and (open_ones := _not_done(words, one, known)):
            waits = words("waiting.jobs", names=", ".join(open_ones))
        conflicts = ", ".join(one["conflicts"] or [])
        for said in (
            one["problem"],
            conflicts,
            waits,
            f"{one['progress']}{percent}" if one["progress"] else "",
        ):
            if said:
                text("p", str(said), "why")


def build_timeline(visit: Visit, box: ui.element, events: list[SpecEvent], labels: Mapping[str, str]) -> None:
    """The latest first."""
    box.clear()
    with box:
        for event in reversed(events[-_MOST_EVENTS:]):
            with element("li"):
                with element("div", "top"):
                    label = labels.get(str(event.spec_session_id))
                    if label:
                        text("strong", label, "mono")
                    text("span", visit.words.of("spec_event", event.kind))
                    text("span", _author(event.author, visit), "quiet")
                    Ago(event.at, "quiet")
                told = _told(event.detail, visit.words)
                if told:
                    text("p", told, "why")
        if not events:
            text("li", visit.words("session.quiet"), "quiet")


def _author(author: str, visit: Visit) -> str:
    return visit.words("spec.an_agent") if author.startswith("session:") else author


def _told(detail: dict[str, Any], words: Words) -> str:
    said: list[str] = []
    for name in _TOLD:
        value = detail.get(name)
        if value in (None, "", []):
            continue
        if isinstance(value, list):
            value = len(value) if name == "comments" else ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if name == "commit":
            value = str(value)[:12]
        said.append(
            str(value)
            if name in ("text", "answer", "title", "problem", "files")
            else words(f"spec_told.{name}", value=value)
        )
    return " · ".join(said)
