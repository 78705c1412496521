"""Draws what waits for what in a plan: as lines of text, or as a flow chart in the words of mermaid."""

import itertools
from typing import Any

Row = dict[str, Any]

_COLOURS = {"done": "#d3f9d8", "failed": "#ffc9c9", "running": "#d0ebff", "blocked": "#fff3bf"}


def as_text(plan: Row, jobs: list[Row]) -> str:
    """A line for each job, with what it waits for."""
    lines: list[str] = []
    for job in jobs:
        box = _box(plan, job)
        before = f" ← {', '.join(job['depends_on'])}" if job["depends_on"] else ""
        lines.append(f"{job['name']} ({job['role']}, {job['status']}){f'  [{box}]' if box else ''}{before}")
    return "\n".join(lines)


def as_mermaid(plan: Row, jobs: list[Row]) -> str:
    """A flow chart (https://mermaid.js.org). Waves and lanes are boxes around their jobs."""
    numbers = {job["name"]: f"j{place}" for place, job in enumerate(jobs)}
    boxes: dict[str, list[Row]] = {}
    for job in jobs:
        boxes.setdefault(_box(plan, job), []).append(job)
    lines = ["flowchart LR"]
    for place, (box, inside) in enumerate(boxes.items()):
        lines += [f'  subgraph b{place}["{_quoted(box)}"]'] if box else []
        lines += [f'  {numbers[job["name"]]}["{_quoted(job["name"])}"]:::{job["status"]}' for job in inside]
        lines += ["  end"] if box else []
        if box and plan["kind"] != "waves":
            in_order = [numbers[job["name"]] for job in sorted(inside, key=lambda job: (-job["priority"], job["seq"]))]
            lines += [f"  {one} --> {two}" for one, two in itertools.pairwise(in_order)]
    if plan["kind"] == "waves":
        lines += [f"  b{place} --> b{place + 1}" for place in range(len(boxes) - 1)]
    lines += [f"  {numbers[before]} --> {numbers[job['name']]}" for job in jobs for before in job["depends_on"]]
    return "\n".join(lines + [f"  classDef {status} fill:{colour}" for status, colour in _COLOURS.items()])


def _box(plan: Row, job: Row) -> str:
    if plan["kind"] == "waves":
        return f"wave {job['stage'] + 1}"
    return str(job["lane"]) if job["lane"] not in (None, job["name"]) else ""


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;")
