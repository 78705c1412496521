"""From a plan's document to the lanes and jobs that the database takes. Roles and templates are given to it.

A job of waves or a graph has a worktree of its own, unless it says otherwise: it is a lane with one job. A prompt takes
any session of its role, unless it wants something that only a session of its own can have.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from office_server.plan_document import Epic, GraphJob, Job, Lane, Place, PlanDocument, Wave
from office_server.plan_text import BadPlan, Path, PlanText, problem
from office_server.prompt_templates import Template, render
from shared.states import LaneSessions

_OWN = ("model", "mcp", "base", "resume", "task")
_SESSION = ("agent", "model", "mcp", "base", "client")


@dataclass
class _Plan:
    """What is gathered. `mark` makes the names of worktrees those of this plan alone."""

    text: PlanText
    roles: Mapping[str, str]
    templates: Mapping[str, Template]
    mark: str
    added: bool
    jobs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lanes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """By their names."""
    slugs: dict[str, int] = field(default_factory=dict[str, int])
    """The words of worktrees' names, and how many of them there are."""
    tasks: set[str] = field(default_factory=set[str])
    """The names of worktrees that there are."""
    paths: dict[str, Path] = field(default_factory=dict[str, Path])
    wrong: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def complain(self, path: Path, message: str) -> None:
        self.wrong.append(problem(path, message, self.text.lines))


def templates_of(document: PlanDocument) -> set[str]:
    """The templates that it names, with their versions if it says so."""
    return {job.template for _, job, _ in _all_jobs(document) if job.template is not None}


def compile_plan(
    text: PlanText, roles: Mapping[str, str], templates: Mapping[str, Template], mark: str, *, added: bool = False
) -> dict[str, Any]:
    """What `create_plan` takes. `roles`: lower case → as the office writes it. `added`: it goes into a plan that
    is there, on whose jobs and lanes it may build.

    Raises:
        BadPlan: with everything that is wrong.
    """
    document = text.document
    plan = _Plan(text, roles, templates, mark, added)
    for place, lane in enumerate(document.lanes or []):
        _add_lane(plan, ("lanes", place), lane)
    for place, epic in enumerate(document.epics or []):
        _add_lane(plan, ("epics", place), epic)
    for path, job, around in _all_jobs(document):
        _add_job(plan, path, job, around)
    for job in plan.jobs:
        for place, before in enumerate(job["depends_on"]):
            if before not in plan.paths and not added:
                plan.complain((*plan.paths[job["name"]], "depends_on", place), f'there is no job "{before}"')
    if plan.wrong:
        raise BadPlan(plan.wrong)
    retry = document.retry
    said = {
        "max_running": document.max_running, "on_failure": document.on_failure, "max_tries": retry.tries,
        "retry_kinds": retry.kinds, "backoff_s": retry.pauses_s,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None} | {
        "name": document.name, "kind": document.kind, "keep_open": document.keep_open, "options": document.options,
        "lanes": list(plan.lanes.values()), "jobs": plan.jobs,
    }  # fmt: skip


def _all_jobs(document: PlanDocument) -> list[tuple[Path, Job, int | Epic | None]]:
    """Each job with its path, and the wave or epic that it is in."""
    found: list[tuple[Path, Job, int | Epic | None]] = []
    for number, wave in enumerate(document.waves or []):
        path: Path = ("waves", number, "jobs") if isinstance(wave, Wave) else ("waves", number)
        jobs = wave.jobs if isinstance(wave, Wave) else wave
        found += [((*path, place), job, number) for place, job in enumerate(jobs)]
    for number, epic in enumerate(document.epics or []):
        found += [(("epics", number, "tasks", place), job, epic) for place, job in enumerate(epic.tasks)]
    found += [(("jobs", place), job, None) for place, job in enumerate(document.jobs or [])]
    for place, prompt in enumerate(document.prompts or []):
        found.append((("prompts", place), Job(prompt=prompt) if isinstance(prompt, str) else prompt, None))
    return found


def _add_lane(plan: _Plan, path: Path, lane: Epic | Lane) -> None:
    defaults = plan.text.document.defaults
    if lane.name in plan.lanes:
        plan.complain((*path, "name"), f'"{lane.name}" is there twice')
    made = {
        "name": lane.name, "role": _role(plan, path, lane.role or defaults.role), "sessions": lane.sessions,
        "task": lane.task or _slug(plan, lane.name), "resume": lane.resume, "on_failure": lane.on_failure,
    } | {name: _first(name, lane, defaults) for name in _SESSION}  # fmt: skip
    _put_lane(plan, made)


def _add_job(plan: _Plan, path: Path, job: Job, around: int | Epic | None) -> None:
    document = plan.text.document
    template = _template(plan, path, job)
    name = job.name or _name(path, around)
    if name in plan.paths:
        plan.complain((*path, "name"), f'"{name}" is there twice')
    plan.paths[name] = path
    epic = around if isinstance(around, Epic) else None
    places: list[Place] = [job, *([epic] if epic else []), *([template.place] if template else []), document.defaults]
    lane = epic.name if epic else job.lane if isinstance(job, GraphJob) else None
    made: dict[str, Any] = {
        "name": name, "prompt": _prompt(plan, path, job, template), "priority": job.priority,
        "depends_on": list(dict.fromkeys(job.depends_on)), "stage": around if isinstance(around, int) else None,
        "conditions": job.conditions or None, "detail": job.detail or None,
    } | {option: _first(option, *places) for option in ("timeout_s", "max_tries", "max_rounds")}  # fmt: skip
    if lane is not None:
        _check_shared(plan, path, job, lane)
        plan.jobs.append(_given(made | {"lane": lane}))
        return
    role = _role(plan, path, _first("role", *places))
    wishes = {option: _first(option, *places) for option in _SESSION}
    wants_its_own = document.prompts is None or any(wishes.get(one) or getattr(job, one) for one in _OWN)
    own = job.worktree == "own" or (job.worktree is None and (wants_its_own or bool(job.conditions)))
    if not own:
        if unfit := next((o for o in _OWN if getattr(job, o) is not None), "conditions" if job.conditions else None):
            plan.complain((*path, unfit), "needs a worktree of its own, and the job says worktree: pool")
        plan.jobs.append(_given(made | {"role": role, "agent": wishes["agent"], "client": wishes["client"]}))
        return
    task = job.task or _slug(plan, name)
    _put_lane(
        plan, {"name": name, "role": role, "task": task, "resume": job.resume, "sessions": LaneSessions.KEPT} | wishes
    )
    plan.jobs.append(_given(made | {"lane": name}))


def _check_shared(plan: _Plan, path: Path, job: Job, lane: str) -> None:
    """A job in a lane shares its session, and so cannot say what that is made of."""
    made = plan.lanes.get(lane)
    if made is None and plan.added:
        return
    if made is None:
        plan.complain((*path, "lane"), f'there is no lane "{lane}"')
        return
    for option in ("role", "agent", "model", "mcp", "base", "client", "resume", "task", "worktree"):
        said = getattr(job, option)
        if said is not None and str(said).lower() != str(made.get(option, "")).lower():
            plan.complain((*path, option), f'is decided by its lane "{lane}"')


def _role(plan: _Plan, path: Path, role: str | None) -> str:
    if role is None:
        plan.complain((*path, "role"), "is missing, here and in defaults")
        return ""
    if role.lower() not in plan.roles:
        known = ", ".join(sorted(plan.roles.values()))
        plan.complain((*path, "role"), f'unknown role "{role}"; this office has {known}')
    return plan.roles.get(role.lower(), role)


def _template(plan: _Plan, path: Path, job: Job) -> Template | None:
    if job.template is None:
        return None
    template = plan.templates.get(job.template)
    if template is None:
        plan.complain((*path, "template"), f'there is no template "{job.template}"')
    return template


def _prompt(plan: _Plan, path: Path, job: Job, template: Template | None) -> str:
    if template is None:
        return job.prompt or ""
    text, wrong = render(template, job.parameters)
    for message in wrong:
        plan.complain((*path, "parameters"), message)
    return text


def _name(path: Path, around: int | Epic | None) -> str:
    place = int(path[-1]) + 1
    if isinstance(around, int):
        return f"wave-{around + 1}-{place}"
    return f"{around.name}-{place}" if isinstance(around, Epic) else f"{str(path[0]).removesuffix('s')}-{place}"


def _put_lane(plan: _Plan, lane: dict[str, Any]) -> None:
    plan.tasks.add(lane["task"])
    plan.lanes[lane["name"]] = _given(lane)


def _slug(plan: _Plan, name: str) -> str:
    """A part of a path that no other plan has: words, then the plan's mark."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].rstrip("-") or "job"
    while True:
        number = plan.slugs[words] = plan.slugs.get(words, 0) + 1
        slug = f"{words}-{plan.mark}" if number == 1 else f"{words}-{number}-{plan.mark}"
        if slug not in plan.tasks:
            return slug


def _first(option: str, *places: Place) -> Any:
    said = next((said for place in places if (said := getattr(place, option)) is not None), None)
    return str(said) if isinstance(said, UUID) else said


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
