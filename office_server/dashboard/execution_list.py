"""What is at work, as cards with the last lines of their terminals, and what was, as a list that can be searched."""

from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import (
    Ago,
    State,
    attributed,
    button,
    element,
    empty,
    plain,
    seconds_in_words,
    tail,
    text,
)
from office_server.dashboard.dialogs import sure
from office_server.dashboard.outcomes import in_words, tone_of
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.dashboard.waits import why
from office_server.routes import executions, jobs
from office_server.routes.plan_answers import ExecutionRow, JobSeen
from shared.ids import JobId, SessionId
from shared.states import JobStatus

_OPEN = [status for status in JobStatus if status.is_open]
_OVER = [status for status in JobStatus if not status.is_open]
_MOST_ACTIVE = 60
_PAGE = 25
Open = Callable[[JobId], Any]


class ExecutionList:
    """`open_job` opens one. `sessions`: those whose output the page shows."""

    def __init__(self, visit: Visit, open_job: Open) -> None:
        self.sessions: set[SessionId] = set()
        self._visit = visit
        self._open = open_job
        self._cards: dict[JobId, _Card] = {}
        self._search = ""
        self._many = _PAGE
        self._history: list[JobSeen] | None = None
        words = visit.words
        with element("section", "at-work", aria_label=words("execute.active")):
            text("h2", words("execute.active"))
            self._active = element("div", "cards")
            self._nothing = empty(words("execute.none"), words("execute.none_hint"))
            self._hidden = text("p", "", "quiet")
        with element("section", "was", aria_label=words("execute.history")):
            with element("div", "tools", role="search"):
                text("h2", words("execute.history"), "grow")
                search = ui.input(placeholder=words("execute.search"), on_change=self._searched).props(
                    "outlined dense clearable debounce=250"
                )
                attributed(search.classes("grow"), aria_label=words("execute.search"))
            self._box = element("div")
        self.refreshing = Refreshing(visit, self.refresh)

    async def refresh(self) -> None:
        found: jobs.JobHistory = await self._visit.do(jobs.search_jobs, status=_OPEN, limit=_MOST_ACTIVE)
        if self._active.is_deleted:
            return
        self._show_active(found)
        over: jobs.JobHistory = await self._visit.do(
            jobs.search_jobs, search=self._search, status=_OVER, limit=self._many
        )
        if not self._box.is_deleted:
            self._show_history(over)

    # What is at work --------------------------------------------------------------------------------------------------

    def _show_active(self, found: jobs.JobHistory) -> None:
        order = sorted(found.jobs, key=_place)
        for gone in self._cards.keys() - {job.id for job in order}:
            self._cards.pop(gone).box.delete()
        for place, job in enumerate(order):
            if job.id not in self._cards:
                with self._active:
                    self._cards[job.id] = _Card(self._visit, job, self._open, self.refreshing)
            card = self._cards[job.id]
            card.show(job)
            if self._active.default_slot.children[place] is not card.box:
                card.box.move(target_index=place)
        self.sessions = {card.session for card in self._cards.values() if card.session is not None}
        self._nothing.set_visibility(not order)
        self._hidden.show(self._visit.words("execute.more_active", most=_MOST_ACTIVE) if found.next is not None else "")

    # What was ---------------------------------------------------------------------------------------------------------

    def _show_history(self, found: jobs.JobHistory) -> None:
        if found.jobs == self._history:
            return
        self._history = found.jobs
        words = self._visit.words
        self._box.clear()
        with self._box:
            if not found.jobs:
                empty(words("execute.not_found" if self._search else "execute.no_history"))
                return
            with element("div", "sheet scroll", tabindex="0"), element("table", "table rows"):
                with element("thead"), element("tr"):
                    for column in ("when", "prompt", "role", "status", "took"):
                        text("th", words(f"execute.{column}"), scope="col")
                with element("tbody"):
                    for job in found.jobs:
                        self._row(job)
            if found.next is not None and self._many < 200:
                with element("div", "does more"):
                    button(words("commands.more"), self._show_more)

    def _row(self, job: JobSeen) -> None:
        words = self._visit.words
        with element("tr"):
            with element("td"):
                Ago(job.finished_at or job.created_at)
            with element("td", "what"):
                made = text("a", plain(job.prompt)[:200], href=self._visit.address("execute", job=job.id))
                made.on("click.prevent", partial(self._open, job.id), args=[])
            text("td", " · ".join(part for part in (job.role, job.agent) if part))
            with element("td"):
                State(job.status, words.of("job_status", job.status))
                if job.error or job.failure_kind:
                    text("p", (job.error or words.of("failure_kind", str(job.failure_kind)))[:160], "quiet small")
            text("td", took(job.execution), "quiet")

    async def _searched(self, event: Any) -> None:
        self._search = str(event.value or "")
        await self.refreshing.now()

    async def _show_more(self) -> None:
        self._many = min(self._many + 50, 200)
        await self.refreshing.now()


class _Card:
    def __init__(self, visit: Visit, job: JobSeen, open_job: Open, refreshing: Refreshing) -> None:
        self.session: SessionId | None = None
        self._visit = visit
        self._job: JobSeen | None = None
        words = visit.words
        self.box = element("article", "sheet card", data_item="", aria_label=job.name)
        with self.box:
            with element("div", "top"):
                with element("h2", "role"):
                    address = visit.address("execute", job=job.id)
                    link = text("a", " · ".join(part for part in (job.role, job.agent) if part), href=address)
                    link.on("click.prevent.stop", partial(open_job, job.id), args=[])
                    attributed(link, data_press="o")
                self._where = text("span", "", "where")
                self._state = State(job.status, "")
            text("p", plain(job.prompt)[:400], "doing")
            self._why = text("p", "", "quiet small")
            self._tail = tail(None, words("session.tail"))
            self._tail.set_visibility(False)
            with element("div", "foot"):
                self._outcome = text("span", "", "outcome")
                self._ago = Ago(job.created_at)
                if visit.may(executions.kill_execution):
                    with element("div", "does"):
                        killing = button(words("job.kill"), partial(kill, visit, job.id, refreshing), "button danger")
                        attributed(killing, data_press="x")

    def show(self, job: JobSeen) -> None:
        if job == self._job:
            return
        words = self._visit.words
        self._job = job
        run = job.execution
        self.session = run.session_id if run is not None and run.finished_at is None else None
        self._state.become(job.status, words.of("job_status", job.status))
        waits = why(words, job) if job.waiting else ""
        self._why.show(waits)
        self._why.set_visibility(bool(waits))
        picture = self._visit.feed.picture
        machines = {one.id: one.name for one in picture.machines} if picture is not None else {}
        self._where.show(machines.get(run.client_id, "") if run is not None and run.client_id is not None else "")
        if run is not None and run.outcome is not None:
            evidence = (run.result or {}).get("evidence", [])
            self._outcome.show(in_words(run.outcome, evidence, words))
            self._outcome.classes(replace=f"outcome {tone_of(run.outcome)}")
        self._ago.show((run.running_at or run.created_at) if run is not None else job.created_at)
        attributed(self._tail, data_tail=str(self.session or "")).update()
        self._tail.set_visibility(self.session is not None)


def _place(job: JobSeen) -> tuple[bool, int]:
    """The latest that runs first; then those that wait, as they will come."""
    waits = job.status in (JobStatus.WAITING, JobStatus.READY)
    return waits, job.seq if waits else -job.seq


def took(run: ExecutionRow | None) -> str:
    if run is None or run.running_at is None or run.finished_at is None:
        return "–"
    return seconds_in_words((run.finished_at - run.running_at).total_seconds())


async def kill(visit: Visit, job_id: JobId, refreshing: Refreshing) -> None:
    """Ends a job that is open: interrupts what runs of it, or withdraws it before it has begun."""
    words = visit.words
    job: jobs.JobDetail | None = await visit.attempt(jobs.get_job, job_id=job_id)
    if job is None or not job.status.is_open:
        return
    if not await sure(words, words("job.kill_sure"), words("job.kill_what"), words("job.kill")):
        return
    run = job.execution
    if run is not None and run.finished_at is None:
        await visit.attempt(executions.kill_execution, "do.sent", execution_id=run.id)
    else:
        await visit.attempt(jobs.drop_job, "do.withdrawn", job_id=job_id, body=jobs.Dropping())
    await refreshing.now()
