"""One job opened: what it is asked, why it waits, every attempt at it with what it cost, its evidence, and its fate."""

from typing import Any

from nicegui import ui

from office_server.dashboard.bits import Ago, State, attributed, button, element, seconds_in_words, text
from office_server.dashboard.dialogs import job_head, sure
from office_server.dashboard.evidence_list import build_evidence, in_words
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.dashboard.waits import why
from office_server.routes import evidence as evidence_routes
from office_server.routes import executions, jobs
from office_server.routes.evidence import Evidence, EvidenceList
from office_server.routes.plan_answers import ExecutionRow, JobDetail
from shared.errors import OfficeError
from shared.ids import JobId
from shared.states import ExecutionStatus, JobStatus

_AGAIN = (JobStatus.BLOCKED, JobStatus.FAILED, JobStatus.CANCELLED)


class JobDialog:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._id: JobId | None = None
        self._shown: tuple[JobDetail, list[Evidence]] | None = None
        self._offered: tuple[JobStatus, str | None] | None = None
        self._dialog = ui.dialog()
        self._dialog.on_value_change(self._moved)
        self._refreshing = Refreshing(visit, self._refresh)

    async def open(self, job_id: JobId) -> None:
        self._id, self._shown, self._offered = job_id, None, None
        words = self._visit.words
        self._dialog.clear()
        with attributed(self._dialog, aria_label=words("job.one")), element("div", "sheet opened job-detail"):
            self._title, self._state = job_head(words, self._dialog.close)
            self._acts = element("div", "acts")
            self._body = element("div", "tab", tabindex="0")
        try:
            await self._refresh()
        except OfficeError as error:
            self._visit.complain(error)
            return
        self._dialog.open()
        self._visit.note(job=job_id)

    async def _refresh(self) -> None:
        if self._id is None:
            return
        job: JobDetail = await self._visit.do(jobs.get_job, job_id=self._id)
        found: EvidenceList = await self._visit.do(evidence_routes.job_evidence, job_id=self._id)
        if self._id != job.id or (job, found.evidence) == self._shown or self._body.is_deleted:
            return
        self._shown = job, found.evidence
        words = self._visit.words
        self._title.show(job.name)
        self._state.become(job.status, words.of("job_status", job.status))
        running = next((one.id for one in _executions(job) if one.status is ExecutionStatus.RUNNING), None)
        if self._offered != (job.status, str(running)):
            self._offered = job.status, str(running)
            self._build_actions(job, running)
        self._body.clear()
        with self._body:
            self._build_body(job, found.evidence)

    # What is in it ----------------------------------------------------------------------------------------------------

    def _build_body(self, job: JobDetail, found: list[Evidence]) -> None:
        words = self._visit.words
        if said := why(words, job):
            text("p", said, "waits")
        with element("div", "two"):
            with element("section"):
                text("h3", words("session.prompt"))
                text("pre", job.prompt, "json", tabindex="0", aria_label=words("session.prompt"))
            with element("dl", "facts"):
                tries = f"{job.tries} / {job.max_tries}" if job.max_tries else str(job.tries)
                cost = _cost(_executions(job))
                for name, value in (
                    ("role", " · ".join(part for part in (job.role, job.agent) if part)), ("lane", job.lane),
                    ("branch", job.branch), ("depends_on", ", ".join(job.depends_on)), ("priority", job.priority),
                    ("tries", tries), ("timeout", seconds_in_words(job.timeout_s)),
                    ("cost", f"${cost:.3f}" if cost is not None else None),
                ):  # fmt: skip
                    text("dt", words(f"job.{name}"))
                    text("dd", str(value) if value not in (None, "") else "–")
        text("h3", words("job.evidence"))
        self._build_evidence(job, found)
        text("h3", words("job.executions"))
        with element("ol", "turns"):
            for one in reversed(_executions(job)):
                self._build_execution(one)
        if not job.executions:
            text("p", words("job.not_yet"), "quiet")

    def _build_evidence(self, job: JobDetail, found: list[Evidence]) -> None:
        words = self._visit.words
        if not found:
            text("p", words("job.wanted" if job.conditions else "job.no_conditions"), "quiet")
        if found:
            build_evidence(words, found)
        else:
            with element("ul", "evidence"):
                for condition in job.conditions:
                    text("li", in_words(condition), "mono")

    def _build_execution(self, one: ExecutionRow) -> None:
        words = self._visit.words
        with element("li", "sheet turn"):
            with element("div", "head"):
                text("strong", words("job.execution", number=one.number))
                State(one.status, words.of("execution_status", one.status))
                if one.outcome is not None:
                    text("span", words.of("outcome", one.outcome), "quiet")
                if one.failure_kind:
                    text("span", words.of("failure_kind", one.failure_kind), "quiet")
                if one.running_at and one.finished_at:
                    text("span", seconds_in_words((one.finished_at - one.running_at).total_seconds()), "quiet")
                if one.result and one.result.get("cost_usd") is not None:
                    text("span", f"${one.result['cost_usd']:.3f}", "quiet")
                Ago(one.created_at, "quiet")
            if one.error:
                text("p", one.error, "why")
            with element("div", "does left"):
                if one.session_id is not None:
                    text("a", words("job.to_session"), href=self._visit.address("sessions", session=one.session_id))
                if one.command_id is not None:
                    text("a", words("job.to_command"), href=self._visit.address("commands", command=one.command_id))

    # What is done -----------------------------------------------------------------------------------------------------

    def _build_actions(self, job: JobDetail, running: Any) -> None:
        visit, words = self._visit, self._visit.words
        self._acts.clear()
        if not visit.may(jobs.change_job):
            return
        with self._acts:
            if job.status.is_open:
                number = ui.number(words("job.priority"), value=job.priority, min=-100, max=100, step=1, format="%d")
                attributed(number.props("outlined dense"), aria_label=words("job.priority"))

                async def hurry() -> None:
                    wanted = min(100, max(-100, int(number.value or 0)))
                    await self._do(jobs.change_job, body=jobs.JobChange(priority=wanted))

                button(words("job.hurry"), hurry)
            if job.status is JobStatus.BLOCKED and job.failure_kind == "asked" and job.lane is not None:
                field = ui.input(placeholder=words("attention.answer")).props("outlined dense").classes("grow")
                attributed(field, aria_label=words("attention.answer"))

                async def answer() -> None:
                    if said := str(field.value or "").strip():
                        await self._do(jobs.retry_job, body=jobs.Again(answer=said))

                field.on("keydown.enter", answer, args=[])
                button(words("do.send"), answer, "button first")
            if job.status in _AGAIN:
                button(words("job.retry"), lambda: self._do(jobs.retry_job, body=jobs.Again()))
            if running is not None:
                button(words("job.kill"), lambda: self._kill(running), "button danger")
            if job.status.is_open:
                button(words("job.go_on"), lambda: self._drop(go_on=True))
                button(words("job.drop"), lambda: self._drop(go_on=False), "button danger")

    async def _do(self, route: Any, **arguments: Any) -> None:
        await self._visit.attempt(route, "do.saved", job_id=self._id, **arguments)
        await self._refreshing.now()

    async def _kill(self, execution: Any) -> None:
        words = self._visit.words
        if await sure(words, words("job.kill_sure"), words("job.kill_what"), words("job.kill")):
            await self._visit.attempt(executions.kill_execution, "do.sent", execution_id=execution)
            await self._refreshing.now()

    async def _drop(self, *, go_on: bool) -> None:
        words = self._visit.words
        name = "go_on" if go_on else "drop"
        if await sure(words, words("job.drop_sure"), words(f"job.{name}_what"), words(f"job.{name}")):
            await self._do(jobs.drop_job, body=jobs.Dropping(go_on=go_on))

    def _moved(self) -> None:
        if not self._dialog.value:
            self._id = None
            self._visit.note(job=None)


def _executions(job: JobDetail) -> list[ExecutionRow]:
    return [ExecutionRow.model_validate(one) for one in job.executions or []]


def _cost(found: list[ExecutionRow]) -> float | None:
    """What the attempts cost, as far as their agents told."""
    told = [float(one.result["cost_usd"]) for one in found if one.result and one.result.get("cost_usd") is not None]
    return sum(told) if told else None
