"""One spec task: its documents to be read and judged, the tree of its work sessions, and what happened."""

from typing import Any

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard import spec_tree
from office_server.dashboard.bits import Ago, State, attributed, button, element, empty, link, text
from office_server.dashboard.dialogs import sure
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.spec_documents import Documents
from office_server.dashboard.visit import Visit
from office_server.routes import spec_tasks as routes
from office_server.spec_rows import SpecEvent
from shared.errors import InvalidPayload, OfficeError
from shared.states import SpecTaskStatus

_OPEN = (
    SpecTaskStatus.BACKLOG, SpecTaskStatus.PLANNING, SpecTaskStatus.REVIEW, SpecTaskStatus.IMPLEMENTATION,
    SpecTaskStatus.FAILED,
)  # fmt: skip


class OneSpec:
    def __init__(self, visit: Visit, name: str) -> None:
        self._visit = visit
        self._name = name
        self._task: routes.SpecTaskState | None = None
        self._events: list[SpecEvent] = []
        self._read: tuple[SpecTaskStatus, int, int] | None = None  # in which state and up to which event they are shown

    async def begin(self) -> None:
        visit, words = self._visit, self._visit.words
        with element("nav", "way"):
            link(words("spec.all"), visit.address("spec_tasks"))
        try:
            task: routes.SpecTaskState = await visit.do(routes.get_spec_task, task=self._name)
        except OfficeError as error:
            empty(words.of("error", error.code), error.detail)
            return
        self._build(task)
        self._refreshing = Refreshing(visit, self.refresh)
        await self._refreshing.now()

    async def refresh(self) -> None:
        visit = self._visit
        task: routes.SpecTaskState = await visit.do(routes.get_spec_task, task=self._name)
        after = self._events[-1].id if self._events else 0
        found: routes.EventList = await visit.do(routes.list_spec_events, task=self._name, after=after)
        last = found.events[-1].id if found.events else after
        documents = None
        if self._read != (task.status, task.version, last):
            versions: routes.VersionList = await visit.do(routes.list_spec_versions, task=self._name)
            comments: routes.CommentList = await visit.do(routes.list_spec_comments, task=self._name)
            documents = versions.versions, comments.comments
        if self._tree.is_deleted:
            return
        self._show(task)
        if documents is not None:
            self._read = task.status, task.version, last
            in_review = task.version if task.status is SpecTaskStatus.REVIEW else None
            self._documents.show(*documents, in_review)
            self._unread.set_visibility(not documents[0])
        if found.events or not self._events:
            self._events += [event for event in found.events if event.id > after]
            labels = {str(one["id"]): str(one["label"]) for one in task.sessions}
            spec_tree.build_timeline(visit, self._timeline, self._events, labels)

    def _show(self, task: routes.SpecTaskState) -> None:
        if task == self._task:
            return
        before, self._task = self._task, task
        self._state.become(task.status, self._visit.words.of("spec_status", task.status))
        self._problem.show(task.problem or "")
        self._problem.set_visibility(bool(task.problem))
        self._percent.show(f"{task.percent} %" if task.status is SpecTaskStatus.IMPLEMENTATION else "")
        if before is None or (before.status, before.version) != (task.status, task.version):
            self._build_actions(task)
        if before is None or before.sessions != task.sessions:
            spec_tree.build_tree(self._visit, self._tree, task.sessions, task.plan_id)

    # What is in it ----------------------------------------------------------------------------------------------------

    def _build(self, task: routes.SpecTaskState) -> None:
        visit, words = self._visit, self._visit.words
        with element("header", "sheet plan-head"):
            with element("div", "top"):
                text("h2", task.title)
                self._state = State(task.status, words.of("spec_status", task.status))
                self._percent = text("span", "", "quiet")
                text("span", task.branch, "mono quiet")
                text("span", task.author, "quiet")
                Ago(task.created_at, "quiet")
                self._actions = element("div", "does")
            if task.description:
                text("p", task.description, "description")
            self._problem = text("p", "", "waits", role="status")
        comment = self._ask_comment if visit.may(routes.comment_spec) else None
        self._documents = Documents(words, comment)
        self._unread = empty(words("spec.no_documents"), words("spec.no_documents_hint"))
        with element("div", "two even"):
            with element("section"):
                with element("div", "tools"):
                    text("h3", words("spec.sessions"))
                    self._spawns = element("span")
                self._tree = element("div")
            with element("section"):
                with element("div", "tools"):
                    text("h3", words("spec.timeline"))
                self._timeline = element("ol", "timeline", tabindex="0", aria_label=words("spec.timeline"))

    def _build_actions(self, task: routes.SpecTaskState) -> None:
        visit, words = self._visit, self._visit.words
        self._actions.clear()
        self._spawns.clear()
        if not visit.may(routes.start_spec_task):
            return
        with self._actions:
            if task.status is SpecTaskStatus.BACKLOG:
                button(words("spec.start"), lambda: self._do(routes.start_spec_task), "button first")
            if task.status is SpecTaskStatus.REVIEW:
                button(words("spec.approve"), self._approve, "button first")
                button(words("spec.send_back"), self._send_back)
            if task.status is SpecTaskStatus.FAILED:
                button(words("job.retry"), lambda: self._do(routes.retry_spec_task), "button first")
            if task.status in _OPEN:
                button(words("spec.cancel"), self._cancel, "button danger")
        if task.status is SpecTaskStatus.IMPLEMENTATION:
            with self._spawns:
                button(words("spec.spawn"), self._spawn)

    # What is done -----------------------------------------------------------------------------------------------------

    async def _do(self, route: Any, done: str = "do.sent", **arguments: Any) -> bool:
        made = await self._visit.attempt(route, done, task=self._name, **arguments)
        await self._refreshing.now()
        return made is not None

    async def _approve(self) -> None:
        if self._task is not None:
            await self._do(routes.approve_spec, "do.approved", version=self._task.version)

    async def _send_back(self) -> None:
        """With a comment on the whole, if one is written, and those that stand at the lines."""
        if self._task is None:
            return
        version, words = self._task.version, self._visit.words
        said = await self._written(words("spec.send_back"), words("spec.send_back_hint"), words("spec.send_back"))
        if said is None:
            return
        comments = [routes.NewComment(text=said[0])] if said[0] else []
        await self._do(
            routes.send_back_spec, "spec.sent_back", version=version, body=routes.SendBack(comments=comments)
        )

    async def _cancel(self) -> None:
        words = self._visit.words
        if await sure(words, words("spec.cancel_sure"), words("spec.cancel_what"), words("spec.cancel")):
            await self._do(routes.cancel_spec_task)

    async def _ask_comment(self, version: int, document: str, line: int | None) -> None:
        words = self._visit.words
        said = await self._written(
            words("spec.comment_on", document=document), "", words("spec.comment"), line=line or 0
        )
        if said is None or not said[0]:
            return
        body = routes.NewComment(text=said[0], document=document, line=said[1] or None)
        await self._do(routes.comment_spec, "do.saved", version=version, body=body)

    async def _written(self, title: str, hint: str, does: str, line: int | None = None) -> tuple[str, int] | None:
        """What the person wrote, and on which line (0: on none); None when they left it."""
        words = self._visit.words
        with attributed(ui.dialog(), aria_label=title) as dialog, element("div", "sheet panel"):
            text("h2", title)
            if hint:
                text("p", hint, "quiet")
            field = attributed(ui.textarea().props("outlined autofocus"), aria_label=words("spec.comment"))
            number = None
            if line is not None:
                number = ui.number(words("spec.line"), value=line or None, min=1, format="%d").props("outlined dense")
                attributed(number, aria_label=words("spec.line"))
            with element("div", "does"):
                button(words("frame.cancel"), lambda: dialog.submit(None))
                button(does, lambda: dialog.submit(True), "button first")
        answer = await dialog
        said = str(field.value or "").strip(), int(number.value or 0) if number is not None else 0
        dialog.delete()
        return said if answer else None

    async def _spawn(self) -> None:
        words = self._visit.words
        with attributed(ui.dialog(), aria_label=words("spec.spawn")) as dialog, element("div", "sheet panel"):
            text("h2", words("spec.spawn"))
            fields = {
                "title": ui.input(words("spec.title")).props("outlined autofocus"),
                "prompt": ui.textarea(words("session.prompt")).props("outlined"),
                "role": ui.input(words("job.role")).props("outlined dense"),
                "depends_on": ui.input(words("spec.depends_on")).props("outlined dense"),
            }
            with element("div", "does"):
                button(words("frame.cancel"), lambda: dialog.submit(None))
                button(words("spec.spawn"), lambda: dialog.submit(True), "button first")
        answer = await dialog
        wish: dict[str, Any] = {name: str(made.value or "").strip() for name, made in fields.items()}
        dialog.delete()
        if not answer:
            return
        wish["depends_on"] = [label.strip() for label in wish["depends_on"].split(",") if label.strip()]
        try:
            body = routes.NewWorkSession.model_validate({name: value for name, value in wish.items() if value})
        except ValidationError as error:
            self._visit.complain(InvalidPayload("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())))
            return
        await self._do(routes.add_spec_session, body=body)
