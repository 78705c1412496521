"""Brings spec tasks on: starts sessions, has their work merged, reads documents, writes history.

Any number of servers may do this at once: what each does is one transition, or a command with a key of its own. When it
looks at which task is decided in `waking`.
"""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from office_server.asking import Desk, Wish
from office_server.backend import Backend
from office_server.hints import Hints
from office_server.scheduler import Scheduler
from office_server.spec_rows import SpecEvent
from office_server.spec_tasks import history, prompts
from office_server.spec_tasks.tasks_md import TasksUnreadable, parse, units_of
from office_server.spec_tasks.waking import Waking
from shared.errors import Conflict, NotFound, OfficeError
from shared.ids import ClientId, OfficeId
from shared.states import CommandType, SpecPromptKind, SpecTaskStatus

log = structlog.get_logger(__name__)

DOCUMENTS = ("requirements.md", "design.md", "tasks.md", "spec-metadata.json")
AUTHOR = "office"
_WORTH_WRITING = frozenset(
    {"merged", "session_failed", "conflict", "spawned", "answered", "done", "failed", "cancelled", "approved", "review"}
)
Task = dict[str, Any]


class SpecKeeper:
    def __init__(self, backend: Backend, desk: Desk, hints: Hints, scheduler: Scheduler) -> None:
        self._backend = backend
        self._specs = backend.specs
        self._desk = desk
        self._scheduler = scheduler
        self._waking = Waking(hints)
        self._failing: str | None = None

    def wake(self, office: OfficeId) -> None:
        """Somebody has moved a spec task there. Returns at once."""
        self._waking.wake(office)

    async def run(self) -> None:
        """Until cancelled. A round that fails is told once and tried again."""
        with self._waking:
            while True:
                self._waking.begin()
                try:
                    await self.round()
                    self._failing = None
                except OfficeError as error:
                    if error.code != self._failing:
                        log.warning("spec_tasks_wait", code=error.code, detail=error.detail)
                    self._failing = error.code
                await self._waking.wait()

    async def round(self) -> None:
        """One step in each task in which something may have moved. What fails in one keeps no other from its step."""
        failed: OfficeError | None = None
        for task_id in self._waking.to_look_at(await self._specs.due(), time.monotonic()):
            try:
                await self._step(task_id)
            except Conflict as error:
                # Another server was faster, or a person: what is to be done next is seen by looking again.
                log.debug("spec_task_moved", spec_task_id=str(task_id), detail=error.detail)
                self._waking.look_again(task_id)
            except NotFound as error:
                log.debug("spec_task_gone", spec_task_id=str(task_id), detail=error.detail)
            except OfficeError as error:
                self._waking.look_again(task_id)
                failed = error
        if failed is not None:
            raise failed

    async def _step(self, task_id: UUID) -> None:
        await self._specs.call("spec_take_in", task_id)
        task = await self._specs.state(task_id)
        if task["status"] in (SpecTaskStatus.PLANNING, SpecTaskStatus.IMPLEMENTATION):
            for session in task["sessions"]:
                if session["status"] == "waiting" and session["waits_for"] is None:
                    await self._start(task, session)
                elif session["status"] == "merging":
                    await self._merge(task, session)
        if task["status"] == SpecTaskStatus.PLANNING:
            label = f"planning-{task['round']}"
            if any(one["label"] == label and one["status"] == "done" for one in task["sessions"]):
                await self._read(task)
        if task["written_event"] < task["last_event"]:
            await self._write_history(task)

    async def _start(self, task: Task, session: dict[str, Any]) -> None:
        if session["kind"] == "planning":
            comments = await self._specs.comments(UUID(task["id"]))
            last = [one.model_dump() for one in comments if one.round == task["round"] - 1]
            words = prompts.planning(task, [*last], await self._roles(task), await self._office_words(task))
        else:
            bodies = await self._specs.bodies(UUID(task["id"]))
            words = prompts.work(task, session | {"body": bodies[session["label"]]}, await self._office_words(task))
        await self._specs.of_session("spec_session_started", session, p_prompt=words.text, p_words=words.whose)
        self._scheduler.wake(OfficeId(UUID(task["office_id"])))

    async def _office_words(self, task: Task) -> dict[SpecPromptKind, prompts.OfficeWords]:
        newest = await self._specs.prompts(OfficeId(UUID(task["office_id"])))
        return {one.kind: prompts.OfficeWords(one.version, one.text) for one in newest if one.text is not None}

    async def _merge(self, task: Task, session: dict[str, Any]) -> None:
        payload = {"spec": task["name"], "branch": session["branch"], "base": task["base"]}
        answer = await self._done(task, CommandType.MERGE_WORK, payload, f"{session['id']}:{session['tries']}")
        if answer is None:
            return
        if "error" in answer:
            await self._specs.of_session("spec_session_failed", session, p_problem=f"not merged: {answer['error']}")
        else:
            await self._specs.of_session(
                "spec_session_merged", session, p_commit=answer["commit"], p_conflicts=answer["conflicts"]
            )

    async def _read(self, task: Task) -> None:
        answer = await self._done(
            task, CommandType.READ_DOCUMENTS, {"spec": task["name"]}, f"{task['id']}:{task['round']}"
        )
        if answer is None:
            return
        found: dict[str, str] = answer.get("documents", {})
        skipped: dict[str, str] = answer.get("skipped", {})
        try:
            if "error" in answer:
                raise _Wrong(f"the documents could not be read: {answer['error']}")
            _check(found, skipped, task["folder"])
            units = self._units(found["tasks.md"], await self._roles(task))
        except TasksUnreadable as error:
            await self._unplanned(task, error.detail, "tasks.md", error.line)
        except _Wrong as error:
            await self._unplanned(task, str(error), error.document, None)
        else:
            await self._specs.call(
                "spec_planned", UUID(task["id"]), p_round=task["round"], p_commit=answer["commit"],
                p_documents={name: found[name] for name in DOCUMENTS}, p_units=units,
            )  # fmt: skip

    async def _unplanned(self, task: Task, problem: str, document: str | None, line: int | None) -> None:
        await self._specs.call(
            "spec_unplanned", UUID(task["id"]), p_round=task["round"], p_problem=problem, p_document=document,
            p_line=line,
        )  # fmt: skip

    def _units(self, tasks_md: str, roles: list[str]) -> list[dict[str, Any]]:
        known = {role.lower() for role in roles}
        made: list[dict[str, Any]] = []
        for unit in units_of(parse(tasks_md)):
            if unit.role is not None and unit.role.lower() not in known:
                raise TasksUnreadable(unit.item.line, f'unknown role "{unit.role}"; there are {", ".join(roles)}')
            around = [f"Part of {group.key} {group.title}.\n{group.body}".strip() for group in unit.groups]
            body = "\n\n".join([*around, unit.item.body]).strip()
            made.append({
                "key": unit.item.key, "title": unit.item.title, "body": body, "role": unit.role,
                "depends_on": list(unit.depends_on),
            })  # fmt: skip
        return made

    async def _roles(self, task: Task) -> list[str]:
        return [persona.role for persona in await self._backend.personas.in_use(OfficeId(UUID(task["office_id"])))]

    async def _write_history(self, task: Task) -> None:
        task_id = UUID(task["id"])
        events = await self._events(task_id, task["last_event"])
        new = {event.kind for event in events if event.id > task["written_event"]}
        if task["client_id"] is None or (not new & _WORTH_WRITING and task["status"] != SpecTaskStatus.DONE):
            if task["status"] not in (SpecTaskStatus.PLANNING, SpecTaskStatus.IMPLEMENTATION):
                await self._specs.call("spec_history_written", task_id, p_event=task["last_event"])
            return
        last = int(await self._specs.call("spec_history_begun", task_id, p_event=task["last_event"]))
        version = task["approved_version"]
        text = (await self._specs.version(task_id, version)).documents["tasks.md"] if version else None
        rows = [event.model_dump(mode="json") for event in events]
        payload = {
            "spec": task["name"],
            "documents": history.documents(task, text, rows),
            "message": f"{task['title']}: {task['status']}, {task['percent']} %",
            "base": task["base"],
        }
        answer = await self._done(task, CommandType.WRITE_DOCUMENTS, payload, f"{task['id']}:{last}")
        if answer is None:
            return
        if "error" in answer:
            log.warning("spec_history_not_written", spec_task=task["name"], detail=answer["error"])
        await self._specs.call("spec_history_written", task_id, p_event=last)

    async def _events(self, task_id: UUID, last: int) -> list[SpecEvent]:
        """All up to the last one that the task's state knows of, so that both tell the same."""
        found: list[SpecEvent] = []
        while page := await self._specs.events(task_id, found[-1].id if found else 0):
            found += page
        return [event for event in found if event.id <= last]

    async def _done(
        self, task: Task, command_type: CommandType, payload: Mapping[str, Any], key: str
    ) -> dict[str, Any] | None:
        """What a machine's command came to; `{"error"}` when it failed, None while it is on its way."""
        office = OfficeId(UUID(task["office_id"]))
        full_key = f"spec:{command_type}:{key}"
        command = await self._backend.commands.by_key(office, full_key)
        if command is None:
            given = {name: value for name, value in payload.items() if value is not None}
            client = ClientId(UUID(task["client_id"])) if task["client_id"] else None
            wish = Wish(office, AUTHOR, command_type, given, client=client, idempotency_key=full_key)
            command = await self._desk.ask(wish)
        if not command.status.is_final and self._waking.await_command(command.id):
            # It may have ended before anybody listened for its end.
            command = await self._backend.commands.by_key(office, full_key) or command
        if not command.status.is_final:
            return None
        self._waking.forget_command(command.id)
        results = await self._backend.commands.results(command.id)
        if results and results[-1].success:
            return results[-1].result or {}
        return {"error": (results[-1].error if results else None) or f"the command is {command.status}"}


class _Wrong(Exception):
    def __init__(self, words: str, document: str | None = None) -> None:
        super().__init__(words)
        self.document = document


def _check(found: Mapping[str, str], skipped: Mapping[str, str], folder: str) -> None:
    for name in DOCUMENTS:
        if name in skipped:
            raise _Wrong(f"{name} cannot be read: {skipped[name]}", name)
        if not found.get(name, "").strip():
            raise _Wrong(f"{name} is missing or empty: write it into {folder} and commit it", name)
    if "SHALL" not in found["requirements.md"].upper():
        raise _Wrong("requirements.md has no criterion in EARS form (… THE SYSTEM SHALL …)", "requirements.md")
    try:
        told: object = json.loads(found["spec-metadata.json"])
    except ValueError as error:
        raise _Wrong(f"spec-metadata.json is no JSON: {error}", "spec-metadata.json") from None
    if not isinstance(told, dict):
        raise _Wrong("spec-metadata.json must be an object", "spec-metadata.json")
