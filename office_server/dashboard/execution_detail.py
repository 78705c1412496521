"""One job of the Execute page opened: its output as it comes or as it was, its status, and starting it again."""

import asyncio
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import Ago, attributed, button, element, text
from office_server.dashboard.dialogs import job_head
from office_server.dashboard.executing import Form
from office_server.dashboard.execution_list import kill, took
from office_server.dashboard.feed import News
from office_server.dashboard.live_terminal import LiveTerminal
from office_server.dashboard.outcomes import in_words, tone_of
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.dashboard.waits import why
from office_server.output import stitch
from office_server.routes import executions, jobs
from office_server.routes.executions import NewExecutions, Queued
from office_server.routes.plan_answers import ExecutionRow, JobDetail
from shared.errors import OfficeError
from shared.ids import ByteOffset, ExecutionId, JobId, SessionId
from shared.states import JobStatus
from shared.terminal_text import TerminalText

_AGAIN = (JobStatus.BLOCKED, JobStatus.FAILED, JobStatus.CANCELLED)
_MOST_BYTES = 400_000


class ExecutionDetail:
    """`sessions`: those whose output it shows."""

    def __init__(self, visit: Visit, form: Form | None) -> None:
        self.sessions: set[SessionId] = set()
        self._visit = visit
        self._form = form
        self._id: JobId | None = None
        self._shown: JobDetail | None = None
        self._output_of: tuple[ExecutionId, bool] | None = None
        self._terminal: LiveTerminal | None = None
        self._following: asyncio.Task[None] | None = None
        self._dialog = ui.dialog()
        self._dialog.on_value_change(self._moved)
        self.refreshing = Refreshing(visit, self._refresh)
        visit.on_news(self._look)

    async def open(self, job_id: JobId) -> None:
        self._id, self._shown, self._output_of, self._terminal = job_id, None, None, None
        words = self._visit.words
        self._dialog.clear()
        with attributed(self._dialog, aria_label=words("execute.one")), element("div", "sheet opened"):
            self._title, self._state = job_head(words, self._dialog.close)
            self._acts = element("div", "acts")
            with element("div", "tab"), element("div", "now"):
                self._output = element("section", "screen", aria_label=words("execute.output"))
                self._beside = element("aside", "beside", aria_label=words("session.facts"))
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
        if self._id != job.id or job == self._shown or self._beside.is_deleted:
            return
        moved = self._shown is None or self._shown.status is not job.status
        self._shown = job
        words = self._visit.words
        self._title.show(" · ".join(part for part in (job.role, job.agent, job.model) if part))
        self._state.become(job.status, words.of("job_status", job.status))
        if moved:
            self._build_actions(job)
        self._beside.clear()
        with self._beside:
            self._build_facts(job)
        await self._show_output(job)

    # What is in it ----------------------------------------------------------------------------------------------------

    def _build_facts(self, job: JobDetail) -> None:
        words, run = self._visit.words, job.execution
        if said := why(words, job):
            text("p", said, "waits")
        if run is not None and run.outcome is not None:
            outcome = in_words(run.outcome, (run.result or {}).get("evidence", []), words)
            text("p", outcome, f"outcome {tone_of(run.outcome)}")
        text("h3", words("session.prompt"))
        text("p", job.prompt, "said mono", tabindex="0")
        picture = self._visit.feed.picture
        machines = {one.id: one.name for one in picture.machines} if picture is not None else {}
        client = (run.client_id if run is not None else None) or job.client_id
        cost = (run.result or {}).get("cost_usd") if run is not None else None
        with element("dl", "facts"):
            for name, value in (
                ("machine", machines.get(client, str(client)) if client else None), ("branch", job.branch),
                ("tried", str(job.tries)), ("took", took(run)),
                ("cost", f"${float(cost):.3f}" if cost is not None else None),
            ):  # fmt: skip
                text("dt", words(f"execute.{name}"))
                text("dd", value or "–")
            text("dt", words("execute.when"))
            with element("dd"):
                Ago(job.created_at)
        if job.conditions:
            text("h3", words("job.evidence"))
            for condition in job.conditions:
                text("p", ", ".join(f"{name}: {value}" for name, value in condition.items()), "mono")
        if run is not None:
            with element("div", "does left"):
                if run.session_id is not None:
                    text("a", words("job.to_session"), href=self._visit.address("sessions", session=run.session_id))
                if run.command_id is not None:
                    text("a", words("job.to_command"), href=self._visit.address("commands", command=run.command_id))
                text("a", words("execute.to_plan"), href=self._visit.address("plans", plan=job.plan_id))

    async def _show_output(self, job: JobDetail) -> None:
        """The live terminal while it runs; afterwards what its turn put out, as text."""
        run = job.execution
        if run is None or run.session_id is None:
            if self._output_of is None:
                self._say(self._visit.words("execute.no_output"))
            return
        is_over = run.finished_at is not None
        if self._output_of == (run.id, is_over):
            return
        self._output_of, self._terminal, self.sessions = (run.id, is_over), None, set()
        if is_over:
            self._say(await self._text_of(run, job.agent or "") or self._visit.words("execute.no_output"))
            return
        seen = await self._visit.services.backend.pages.session(self._visit.office.id, run.session_id)
        self._output.clear()
        with self._output:
            self._terminal = LiveTerminal(self._visit, seen)
        self.sessions = {run.session_id}
        await self._terminal.begin()

    async def _text_of(self, run: ExecutionRow, agent: str) -> str:
        result: dict[str, Any] = run.result or {}
        if run.session_id is None or result.get("output_start") is None:
            return ""
        start, end = ByteOffset(result["output_start"]), result.get("output_end")
        at, reader, texts = start, TerminalText(agent), list[str]()
        while end is None or at < end:
            limit = _MOST_BYTES if end is None else min(_MOST_BYTES, end - at)
            page = stitch(await self._visit.services.backend.sessions.output(run.session_id, at), at, limit)
            if page.next == at or at - start > _MOST_BYTES:
                break
            texts.append(reader.feed(page.text))
            at = page.next
        return "".join(texts) + reader.finish()

    def _say(self, said: str) -> None:
        if self._output.is_deleted:
            return
        self._output.clear()
        with self._output:
            text("pre", said, "output-text", tabindex="0", aria_label=self._visit.words("execute.output"))

    def _look(self, news: News) -> None:
        if (
            self._terminal is not None
            and news.moved & self.sessions
            and (self._following is None or self._following.done())
        ):
            self._following = asyncio.create_task(self._terminal.follow())

    # What is done -----------------------------------------------------------------------------------------------------

    def _build_actions(self, job: JobDetail) -> None:
        visit, words = self._visit, self._visit.words
        self._acts.clear()
        if not visit.may(executions.start_executions):
            return
        with self._acts:
            if job.status.is_open and job.status is not JobStatus.BLOCKED:
                button(words("job.kill"), self._kill, "button danger")
            else:
                button(words("execute.again"), self._again, "button first")
            if job.status is JobStatus.BLOCKED:
                button(words("job.kill"), self._kill, "button danger")
            if self._form is not None:
                button(words("execute.change"), self._change)

    async def _kill(self) -> None:
        if self._id is not None:
            await kill(self._visit, self._id, self.refreshing)

    async def _again(self) -> None:
        """What came to nothing is tried again where it was; what is done is asked for once more, as something new."""
        job = self._shown
        if job is None:
            return
        if job.status in _AGAIN:
            await self._visit.attempt(jobs.retry_job, "do.sent", job_id=job.id, body=jobs.Again())
            await self.refreshing.now()
            return
        said = {
            "prompt": job.prompt, "role": job.role, "agent": job.agent, "model": job.model, "client": job.client_id,
            "timeout_s": job.timeout_s, "conditions": job.conditions, "max_tries": job.max_tries,
        }  # fmt: skip
        body = NewExecutions.model_validate({"prompts": [{k: v for k, v in said.items() if v is not None}]})
        queued: Queued | None = await self._visit.attempt(executions.start_executions, "do.sent", body=body)
        if queued is not None:
            await self.open(queued.jobs[0].id)

    def _change(self) -> None:
        if self._shown is not None and self._form is not None:
            self._form.put(self._shown)
            self._dialog.close()

    def _moved(self) -> None:
        if not self._dialog.value:
            self._id, self._terminal, self.sessions = None, None, set()
            self._visit.note(job=None)
