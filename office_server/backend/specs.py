"""Spec tasks and agents' questions: SQL functions move them, the rest is reading."""

from typing import Any
from uuid import UUID

from office_server.backend.connection import Connection
from office_server.rows import Row
from office_server.spec_rows import Question, SpecComment, SpecEvent, SpecPrompt, SpecTask, SpecVersion
from shared.errors import NotFound
from shared.ids import OfficeId
from shared.states import QuestionStatus, SpecPromptKind


class _Body(Row):
    label: str
    body: str


class Specs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, function: str, task: UUID, **arguments: Any) -> Any:
        """One of the functions that take a task."""
        return await self._connection.call(function, p_task=str(task), **arguments)

    async def of_session(self, function: str, session: dict[str, Any], **arguments: Any) -> Any:
        """One of the functions that move a work session, at the try at which it was seen."""
        return await self._connection.call(function, p_session=session["id"], p_try=session["tries"], **arguments)

    async def create(
        self,
        office: OfficeId,
        name: str,
        title: str,
        wishes: dict[str, Any],
        author: str,
        *,
        key: str | None,
        digest: str,
    ) -> SpecTask:
        """The task as it is now: with the same key, that of before. Raises Conflict when it was for another one."""
        made = await self._connection.call(
            "create_spec_task", p_office=str(office), p_name=name, p_title=title, p_wishes=wishes, p_author=author,
            p_key=key, p_digest=digest,
        )  # fmt: skip
        return SpecTask.model_validate(made)

    async def find(self, office: OfficeId, name: str) -> SpecTask:
        """By its id or its name. Raises NotFound."""
        query = self._connection.table("spec_tasks").select(SpecTask.columns()).eq("office_id", str(office))
        found = await self._connection.read(query.eq("id" if _is_uuid(name) else "name", name), SpecTask)
        if not found:
            raise NotFound(f'There is no spec task "{name}" in office {office}.', advice="semo spec list shows them")
        return found[0]

    async def page(self, office: OfficeId, limit: int) -> list[SpecTask]:
        """Newest first."""
        query = self._connection.table("spec_tasks").select(SpecTask.columns()).eq("office_id", str(office))
        return await self._connection.read(query.order("created_at", desc=True).limit(limit), SpecTask)

    async def state(self, task: UUID) -> dict[str, Any]:
        """The task with its work sessions, as `spec_task_state` tells it."""
        return await self.call("spec_task_state", task)

    async def due(self) -> list[tuple[UUID, OfficeId]]:
        """Tasks in which there is something to do, and their offices."""
        found = await self._connection.call("spec_tasks_due")
        return [(UUID(one["id"]), OfficeId(UUID(one["office_id"]))) for one in found]

    async def bodies(self, task: UUID) -> dict[str, str]:
        """What the agents of the work sessions are to do, by label."""
        query = self._connection.table("spec_sessions").select("label,body").eq("spec_task_id", str(task))
        return {row.label: row.body for row in await self._connection.read(query, _Body)}

    async def version(self, task: UUID, version: int) -> SpecVersion:
        """Raises NotFound."""
        query = self._connection.table("spec_versions").select(SpecVersion.columns()).eq("spec_task_id", str(task))
        found = await self._connection.read(query.eq("version", version), SpecVersion)
        if not found:
            raise NotFound(f"There is no version {version} of this spec task.")
        return found[0]

    async def versions(self, task: UUID) -> list[SpecVersion]:
        query = self._connection.table("spec_versions").select(SpecVersion.columns()).eq("spec_task_id", str(task))
        return await self._connection.read(query.order("version"), SpecVersion)

    async def comments(self, task: UUID) -> list[SpecComment]:
        query = self._connection.table("spec_comments").select(SpecComment.columns()).eq("spec_task_id", str(task))
        return await self._connection.read(query.order("id"), SpecComment)

    async def events(self, task: UUID, after: int = 0, limit: int = 1000) -> list[SpecEvent]:
        query = self._connection.table("coordination_events").select(SpecEvent.columns())
        query = query.eq("spec_task_id", str(task)).gt("id", after).order("id").limit(limit)
        return await self._connection.read(query, SpecEvent)

    async def prompts(self, office: OfficeId) -> list[SpecPrompt]:
        """What the office says now to agents of spec tasks; nothing of a kind that it never changed."""
        newest: dict[SpecPromptKind, SpecPrompt] = {}
        for version in await self.prompt_versions(office):
            newest.setdefault(version.kind, version)
        return list(newest.values())

    async def prompt_versions(self, office: OfficeId, kind: SpecPromptKind | None = None) -> list[SpecPrompt]:
        """The newest of each kind first."""
        query = self._connection.table("spec_prompts").select(SpecPrompt.columns()).eq("office_id", str(office))
        if kind is not None:
            query = query.eq("kind", kind)
        return await self._connection.read(query.order("kind").order("version", desc=True), SpecPrompt)

    async def save_prompt(self, office: OfficeId, kind: SpecPromptKind, text: str | None, author: str) -> None:
        """Raises NotFound."""
        await self._connection.call("save_spec_prompt", p_office=str(office), p_kind=kind, p_text=text, p_author=author)

    async def questions(self, office: OfficeId, status: QuestionStatus | None, limit: int) -> list[Question]:
        """Newest first."""
        query = self._connection.table("questions").select(Question.columns()).eq("office_id", str(office))
        if status is not None:
            query = query.eq("status", status)
        return await self._connection.read(query.order("asked_at", desc=True).limit(limit), Question)

    async def answer(self, office: OfficeId, question: UUID, text: str, author: str) -> Question:
        """Raises NotFound; Conflict when it was answered or has expired."""
        query = self._connection.table("questions").select(Question.columns()).eq("office_id", str(office))
        if not await self._connection.read(query.eq("id", str(question)), Question):
            raise NotFound(f"There is no question {question} in office {office}.")
        answered = await self._connection.call(
            "answer_question", p_question=str(question), p_answer=text, p_author=author
        )
        return Question.model_validate(answered)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
