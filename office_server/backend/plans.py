"""Plans, jobs and executions. Every change is one SQL function; what comes back is as the database says it."""

from datetime import datetime
from typing import Any, cast

from office_server.backend.connection import Connection
from office_server.spec_rows import PromptTemplate
from shared.ids import ExecutionId, JobId, OfficeId, PlanId
from shared.states import ExecutionStatus, JobStatus, PlanStatus

Seen = dict[str, Any]


class Plans:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def make(self, office: OfficeId, plan: Seen, author: str, key: str | None, digest: str) -> PlanId:
        """All of it or nothing. Raises InvalidPayload; Conflict when the key was used for another plan."""
        made = await self._connection.call(
            "create_plan", p_office=str(office), p_plan=plan, p_author=author, p_key=key, p_digest=digest
        )
        return cast("PlanId", made)

    async def add_jobs(
        self, plan: PlanId, jobs: list[Seen], lanes: list[Seen], key: str | None, digest: str
    ) -> list[JobId]:
        """Raises InvalidPayload; Conflict when the key was used for other jobs."""
        return await self._connection.call(
            "add_jobs", p_plan=str(plan), p_jobs=jobs, p_lanes=lanes, p_key=key, p_digest=digest
        )

    async def state(self, plan: PlanId) -> Seen:
        """Raises NotFound."""
        return await self._connection.call("plan_state", p_plan=str(plan))

    async def page(
        self, office: OfficeId, statuses: list[PlanStatus] | None, before: int | None, limit: int
    ) -> list[Seen]:
        return await self._connection.call(
            "list_plans", p_office=str(office), p_statuses=statuses, p_before=before, p_limit=limit
        )

    async def steer(self, plan: PlanId, function: str) -> None:
        """`pause_plan`, `resume_plan`, `cancel_plan`, `close_plan`, `delete_plan`. Raises NotFound, Conflict."""
        await self._connection.call(function, p_plan=str(plan))

    async def jobs(self, plan: PlanId, after: int, limit: int, statuses: list[JobStatus] | None) -> list[Seen]:
        return await self._connection.call(
            "plan_jobs", p_plan=str(plan), p_after=after, p_limit=limit, p_statuses=statuses
        )

    async def job(self, job: JobId) -> Seen:
        """Raises NotFound."""
        return await self._connection.call("job_state", p_job=str(job))

    async def search(
        self, office: OfficeId, words: str, before: int | None, limit: int, statuses: list[JobStatus] | None = None
    ) -> list[Seen]:
        return await self._connection.call(
            "search_jobs", p_office=str(office), p_words=words, p_before=before, p_limit=limit, p_statuses=statuses
        )

    async def retry(self, job: JobId, answer: str | None) -> None:
        await self._connection.call("retry_job", p_job=str(job), p_answer=answer)

    async def drop(self, job: JobId, go_on: bool) -> None:
        await self._connection.call("drop_job", p_job=str(job), p_go_on=go_on)

    async def hurry(self, job: JobId, priority: int) -> None:
        await self._connection.call("set_job_priority", p_job=str(job), p_priority=priority)

    async def execution(self, execution: ExecutionId) -> Seen:
        """Raises NotFound."""
        return await self._connection.call("execution_state", p_execution=str(execution))

    async def executions(
        self,
        office: OfficeId,
        *,
        statuses: list[ExecutionStatus] | None,
        plan: PlanId | None,
        job: JobId | None,
        before: int | None,
        limit: int,
    ) -> list[Seen]:
        return await self._connection.call(
            "list_executions", p_office=str(office), p_statuses=statuses, p_plan=str(plan) if plan else None,
            p_job=str(job) if job else None, p_before=before, p_limit=limit,
        )  # fmt: skip

    async def execution_events(self, execution: ExecutionId, after: int) -> list[Seen]:
        return await self._connection.call("execution_events", p_execution=str(execution), p_after=after)

    async def kill(self, execution: ExecutionId) -> None:
        await self._connection.call("kill_execution", p_execution=str(execution))

    async def clean(self, office: OfficeId, before: datetime) -> int:
        return int(await self._connection.call("clean_executions", p_office=str(office), p_before=before.isoformat()))

    async def limits(self, office: OfficeId, running: int | None = None, roles: dict[str, int] | None = None) -> Seen:
        """How many jobs run at once, after setting what is given."""
        return await self._connection.call("set_job_limits", p_office=str(office), p_running=running, p_roles=roles)

    async def stop(self, office: OfficeId, author: str) -> Seen:
        return await self._connection.call("stop_office", p_office=str(office), p_author=author)

    async def schedule(self, office: OfficeId) -> Seen:
        return await self._connection.call("run_schedule", p_office=str(office))

    async def offices(self) -> list[OfficeId]:
        """In which a plan has not ended yet."""
        return await self._connection.call("offices_with_plans")

    async def save_template(
        self, office: OfficeId, name: str, text: str, parameters: Seen, defaults: Seen, author: str
    ) -> int:
        """Its version."""
        return int(
            await self._connection.call(
                "save_template", p_office=str(office), p_name=name, p_text=text, p_parameters=parameters,
                p_defaults=defaults, p_author=author,
            )
        )  # fmt: skip

    async def templates(self, office: OfficeId, name: str | None = None) -> list[PromptTemplate]:
        """All versions, the newest of each name first."""
        query = self._connection.table("prompt_templates").select(PromptTemplate.columns())
        query = query.eq("office_id", str(office)).order("name").order("version", desc=True)
        return await self._connection.read(query.eq("name", name) if name else query, PromptTemplate)
