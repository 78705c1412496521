"""Spec tasks as a board from backlog to done; a new one written down; one of them opened."""

from typing import Any

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import Ago, State, attributed, button, element, lead_to, text
from office_server.dashboard.frame import page
from office_server.dashboard.one_spec import OneSpec
from office_server.dashboard.refreshing import Refreshing
from office_server.dashboard.visit import Visit
from office_server.routes import spec_tasks as routes
from office_server.spec_rows import SpecTask
from shared.errors import InvalidPayload
from shared.states import SpecTaskStatus

_ALWAYS = (
    SpecTaskStatus.BACKLOG, SpecTaskStatus.PLANNING, SpecTaskStatus.REVIEW, SpecTaskStatus.IMPLEMENTATION,
    SpecTaskStatus.DONE,
)  # fmt: skip
_MOST = 500


@page("spec_tasks", icon="fact_check", key="t")
async def spec_tasks(visit: Visit) -> None:
    asked = visit.query.get("task")
    if asked:
        await OneSpec(visit, asked).begin()
        return
    await _Board(visit).refreshing.now()


class _Board:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._shown: list[SpecTask] | None = None
        if visit.may(routes.create_spec_task):
            with element("div", "tools"):
                button(visit.words("spec.new"), lambda: offer_new(visit), "button first")
        self._box = element("div", "board scroll", tabindex="0", role="region", aria_label=visit.words("spec.board"))
        self.refreshing = Refreshing(visit, self.refresh)

    async def refresh(self) -> None:
        found: routes.SpecTaskList = await self._visit.do(routes.list_spec_tasks, limit=_MOST)
        if found.spec_tasks == self._shown or self._box.is_deleted:
            return
        self._shown = found.spec_tasks
        self._box.clear()
        with self._box:
            for status in SpecTaskStatus:
                inside = [task for task in found.spec_tasks if task.status is status]
                if inside or status in _ALWAYS:
                    self._column(status, inside)

    def _column(self, status: SpecTaskStatus, inside: list[SpecTask]) -> None:
        words = self._visit.words
        name = words.of("spec_status", status)
        with element("section", "pile", aria_label=name):
            with element("header"):
                text("h2", name)
                text("span", str(len(inside)), "quiet")
            for task in inside:
                self._card(task)
            if not inside:
                text("p", words.of("spec_why", status), "nothing quiet")

    def _card(self, task: SpecTask) -> None:
        visit, words = self._visit, self._visit.words
        with element("article", f"sheet card spec is-{task.status}-card", data_item="", aria_label=task.title):
            with text("h3", "", "role"):
                text("a", task.title, href=visit.address(task=task.name), data_press="o")
            if task.problem:
                text("p", task.problem, "why")
            with element("div", "foot"):
                if task.status is SpecTaskStatus.REVIEW:
                    State("review", words("spec.version", number=task.version))
                text("span", task.author)
                Ago(task.updated_at)
            if task.status is SpecTaskStatus.BACKLOG and visit.may(routes.start_spec_task):
                with element("div", "does"):
                    made = button("", lambda: self._start(task), data_press="s")
                    with made:
                        text("span", words("spec.start"))
                        text("kbd", "s", aria_hidden="true")

    async def _start(self, task: SpecTask) -> None:
        await self._visit.attempt(routes.start_spec_task, "do.sent", task=task.name)
        await self.refreshing.now()


def offer_new(visit: Visit) -> None:
    """Opens the dialog for a new task, which leads to its page."""
    words = visit.words
    fields: dict[str, Any] = {}

    def field(name: str, made: Any) -> None:
        label = words(f"spec.{name}")
        fields[name] = attributed(made.props("outlined"), aria_label=label)
        made.props["label"] = label

    with attributed(ui.dialog(), aria_label=words("spec.new")) as dialog, element("div", "sheet panel broad"):
        text("h2", words("spec.new"))
        text("p", words("spec.new_hint"), "quiet")
        field("title", ui.input().props("autofocus"))
        field("description", ui.textarea())
        with element("div", "form bare"):
            field("name", ui.input())
            field("planning_role", ui.input())
            field("work_role", ui.input())
        single = ui.checkbox(words("spec.single"))
        start = ui.checkbox(words("spec.start_now"), value=True)

        async def make() -> None:
            wishes = {name: said for name, made in fields.items() if (said := str(made.value or "").strip())}
            try:
                body = routes.NewSpecTask.model_validate(
                    wishes | {"start": bool(start.value), "single_session": bool(single.value)}
                )
            except ValidationError as error:
                told = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
                visit.complain(InvalidPayload(told))
                return
            made: routes.SpecTaskState | None = await visit.attempt(routes.create_spec_task, body=body)
            if made is not None:
                lead_to(visit.address("spec_tasks", task=made.name))
                dialog.close()

        with element("div", "does"):
            button(words("frame.cancel"), dialog.close)
            button(words("spec.make"), make, "button first")
    dialog.on_value_change(lambda event: None if event.value else dialog.delete())
    dialog.open()
