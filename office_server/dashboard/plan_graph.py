"""What waits for what in a plan, as a flow chart in the words of mermaid. No I/O."""

import itertools
from collections.abc import Callable

from office_server.routes.plan_answers import JobSeen, PlanSeen
from shared.states import PlanKind

MOST_JOBS = 150
"""More than these nobody can follow with their eyes, nor a browser draw in a moment."""


def flow_chart(plan: PlanSeen, jobs: list[JobSeen], wave: Callable[[int], str]) -> str:
    """Waves and lanes are boxes around their jobs; a job is the node `j` and its place in `jobs`.

    Args:
        wave: what the wave of a number is called.
    """
    nodes = {job.name: f"j{place}" for place, job in enumerate(jobs)}
    boxes: dict[str, list[JobSeen]] = {}
    for job in jobs:
        boxes.setdefault(_box(plan, job, wave), []).append(job)
    lines = ["flowchart LR"]
    for place, (box, inside) in enumerate(boxes.items()):
        lines += [f'  subgraph b{place}["{_quoted(box)}"]'] if box else []
        lines += [f'  {nodes[job.name]}["{_quoted(job.name)}"]:::is-{job.status}' for job in inside]
        lines += ["  end"] if box else []
        if box and plan.kind is not PlanKind.WAVES:
            in_order = [nodes[job.name] for job in sorted(inside, key=lambda job: (-job.priority, job.seq))]
            lines += [f"  {one} --> {two}" for one, two in itertools.pairwise(in_order)]
    if plan.kind is PlanKind.WAVES:
        lines += [f"  b{place} --> b{place + 1}" for place in range(len(boxes) - 1)]
    lines += [
        f"  {nodes[before]} --> {nodes[job.name]}" for job in jobs for before in job.depends_on if before in nodes
    ]
    return "\n".join(lines)


def _box(plan: PlanSeen, job: JobSeen, wave: Callable[[int], str]) -> str:
    if plan.kind is PlanKind.WAVES:
        return wave(job.stage + 1)
    return job.lane if job.lane is not None and job.lane != job.name else ""


def _quoted(text: str) -> str:
    """As the text of a node: mermaid would read some characters as its own."""
    return "".join(one if one.isalnum() or one in " .,_/-" else f"#{ord(one)};" for one in text)
