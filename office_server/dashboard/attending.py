"""The inbox: each thing that waits for a person, with what can be done about it, one key each."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

from nicegui import ui
from pydantic import ValidationError

from office_server.dashboard.bits import Ago, State, attributed, button, element, lead_to, tail, text
from office_server.dashboard.people import Route
from office_server.dashboard.visit import Visit
from office_server.dashboard.waits import cap_in_words, reached
from office_server.dashboard.wrong import wrong
from office_server.picture_rows import Attention, Picture
from office_server.routes import (
    approvals,
    attention,
    commands,
    costs,
    evidence,
    jobs,
    pull_requests,
    questions,
    sessions,
)  # fmt: skip
from office_server.routes import spec_tasks as specs
from shared.ids import SessionId
from shared.states import BudgetPeriod, BudgetScope

_BAD = {"failed", "lost", "expired", "error", "spec_failed", "pull_conflict", "pull_failed"}
_TAIL_OF = {"question", "permission", "error", "blocked"}
_CAME_TO_NOTHING = ("failed", "lost", "expired")
_ANSWERED = {"approval", "asks", "evidence", "review"}
"""These go only when somebody decides; they are not put away."""
Open = Callable[[SessionId], Any]
Does = Callable[[], Any]
Answer = Callable[[str], Awaitable[bool]]


class Inbox:
    """Keeps one item for each thing, so that what a person types into one stays when others come and go."""

    def __init__(self, visit: Visit, box: ui.element, open_session: Open) -> None:
        self._visit = visit
        self._box = box
        self._open = open_session
        self._items: dict[tuple[str, str], _Item] = {}
        self.wanted: set[SessionId] = set()

    def show(self, picture: Picture) -> None:
        machines = {machine.id: machine.name for machine in picture.machines}
        found = {(one.kind, str(one.subject)): one for one in picture.attention}
        for gone in self._items.keys() - found.keys():
            self._items.pop(gone).box.delete()
        for place, (key, one) in enumerate(found.items()):
            before = self._items.get(key)
            if before is not None and before.still_tells(one):
                continue
            machine = machines.get(one.client_id) if one.client_id else None
            with self._box:
                self._items[key] = _Item(self._visit, one, machine, self._open, before.typed if before else "")
            if before is not None:  # a job, say, that has asked once more, in another session
                before.box.delete()
            self._items[key].box.move(target_index=place)
        self.wanted = {one.session_id for one in picture.attention if one.session_id and one.kind in _TAIL_OF}
        self._box.set_visibility(bool(found))


class _Item:
    def __init__(self, visit: Visit, about: Attention, machine: str | None, open_session: Open, typed: str) -> None:
        self.about = about
        self._field: ui.input | None = None
        self._visit = visit
        self._open = open_session
        words = visit.words
        bad = " bad" if about.kind in _BAD else ""
        title = words.of("attention.kind", about.kind)
        self.box = element("article", f"sheet item{bad}", data_item="", tabindex="0", aria_label=title)
        with self.box:
            with element("div"):
                with element("div", "head"):
                    State(about.kind, title)
                    who = " · ".join(part for part in (about.role, machine) if part)
                    if who:
                        text("span", who).classes("quiet")
                    self._at = Ago(about.at, "quiet")
                said = cap_in_words(words, about.action) if about.kind == "cap" and about.action else about.title
                if said:
                    text("p", said, "said")
                text("p", about.detail or words.of("attention.why", about.kind), "why")
                if about.kind == "approval" and about.action is not None:
                    self._build_exactly(about.action)
            with element("div", "does"):
                self._build_actions()
            if about.kind in _TAIL_OF:
                attributed(tail(about.session_id, words("session.tail"), "wide"), tabindex="0")
            self._build_answer(typed)

    def still_tells(self, about: Attention) -> bool:
        """Whether that is what stands here, but for the time, which it then takes."""
        if about.model_copy(update={"at": self.about.at}) != self.about:
            return False
        self._at.show(about.at)
        return True

    @property
    def typed(self) -> str:
        """What a person is about to answer."""
        return str(self._field.value or "") if self._field is not None else ""

    def _build_exactly(self, action: dict[str, Any]) -> None:
        """What would be done, to the letter: nobody should approve what they have not seen."""
        words = self._visit.words
        exact = json.dumps(action["input"], ensure_ascii=False, indent=2)
        text("pre", exact, tabindex="0", aria_label=words("attention.exactly"))
        with element("p", "why"):
            if action["redacted"]:
                text("span", f"{words('attention.redacted')} ")
            text("span", f"{words('attention.until')} ")
            Ago(datetime.fromisoformat(action["expires_at"]))

    def _build_actions(self) -> None:
        about, visit = self.about, self._visit
        session = about.session_id
        if session is not None:
            self._action(
                "o", "open", lambda: self._open(session), first=about.kind in ("question", "permission", "error")
            )
        elif (there := self._address()) is not None:
            self._action("o", "open", lambda: lead_to(there), first=about.kind == "review")
        offered: dict[str, list[tuple[str, str, Route, Does]]] = {
            "approval": [
                ("a", "approve", approvals.approve, self._approve), ("d", "deny", approvals.deny, self._deny)
            ],
            "evidence": [
                ("y", "yes", evidence.answer_evidence, partial(self._decide, yes=True)),
                ("n", "no", evidence.answer_evidence, partial(self._decide, yes=False)),
            ],
            "review": [("a", "approve", specs.approve_spec, self._approve_spec)],
            "spec_failed": [("r", "retry", specs.retry_spec_task, self._retry_spec)],
            "blocked": [("r", "retry", jobs.retry_job, self._retry_job)],
            "pull_conflict": [("m", "merge", pull_requests.merge_pull_request, self._merge)],
            "permission": [("i", "interrupt", sessions.cancel_turn, self._interrupt)],
            "error": [("t", "terminate", sessions.terminate_session, self._terminate)],
        }  # fmt: skip
        offered |= {key: [("r", "again", commands.insert_command, self._again)] for key in _CAME_TO_NOTHING}
        for key, name, route, does in offered.get(about.kind, []):
            if visit.may(route):
                self._action(key, name, does, first=name in ("approve", "yes") and about.kind != "review")
        if about.kind not in _ANSWERED and visit.may(attention.put_away):
            self._action("x", "put_away", self._put_away)

    def _address(self) -> str | None:
        """The page that is about it, where no session is."""
        action, kind = self.about.action or {}, self.about.kind
        if kind in ("review", "spec_failed"):
            return self._visit.address("spec_tasks", task=action["name"])
        if kind in ("evidence", "blocked"):
            return self._visit.address("plans", plan=action["plan_id"])
        if kind == "cap" and "plan_id" in action:
            job = action["name"] if action["scope"] == BudgetScope.JOB else None
            return self._visit.address("plans", plan=action["plan_id"], job=job)
        page = {"cap": "costs", "circuit": "pool", "offline": "machines"}.get(kind)
        return self._visit.address(page) if page is not None else None

    def _action(self, key: str, name: str, does: Callable[[], Any], *, first: bool = False) -> None:
        made = button("", does, "button first" if first else "button", data_press=key)
        with made:
            text("span", self._visit.words(f"do.{name}"))
            text("kbd", key, aria_hidden="true")

    def _build_answer(self, typed: str) -> None:
        """A field to answer in place, with what the agent offers as answers; at an evidence, why it is refused."""
        about, visit = self.about, self._visit
        answers: dict[str, tuple[Route, Answer]] = {
            "question": (sessions.send_prompt, self._say), "asks": (questions.answer_question, self._answer),
            "blocked": (jobs.retry_job, self._answer_job), "evidence": (evidence.answer_evidence, self._refuse),
            "cap": (costs.put_budget, self._raise_cap),
        }  # fmt: skip
        if about.kind not in answers or (about.kind == "blocked" and not (about.action or {}).get("answers")):
            return
        route, answer = answers[about.kind]
        if not visit.may(route):
            return
        words = visit.words
        label = words(self._asked_for())
        with element("div", "wide answer"):
            field = attributed(ui.input(placeholder=label, value=typed).props("outlined dense"), aria_label=label)
            self._field = field

            async def send() -> None:
                said = str(field.value or "").strip()
                if said and await answer(said):
                    field.value = ""

            field.on("keydown.enter", send, args=[])
            if about.kind != "evidence":  # there the button that says no takes it along
                button(words("do.send"), send)
        options: list[str] = (about.action or {}).get("options", []) if about.kind == "asks" else []
        if options:
            with element("div", "wide does left"):
                for number, option in enumerate(options[:9], 1):
                    with button("", partial(answer, option), data_press=str(number)):
                        text("span", option)
                        text("kbd", str(number), aria_hidden="true")

    def _asked_for(self) -> str:
        if self.about.kind == "cap":
            return f"attention.raise_{reached(self.about.action or {})[0]}"
        return "attention.why_not" if self.about.kind == "evidence" else "attention.answer"

    async def _say(self, said: str) -> bool:
        body = sessions.NewPrompt(text=said)
        return await self._did(sessions.send_prompt, session_id=self.about.session_id, body=body)

    async def _answer(self, said: str) -> bool:
        return await self._did(
            questions.answer_question, question_id=self.about.subject, body=questions.Answer(answer=said)
        )

    async def _answer_job(self, said: str) -> bool:
        return await self._did(jobs.retry_job, job_id=self.about.subject, body=jobs.Again(answer=said))

    async def _raise_cap(self, said: str) -> bool:
        cap = self.about.action or {}
        now = {name: cap.get(name) for name in ("cap_usd", "cap_tokens")}
        try:
            caps = costs.Caps.model_validate(now | {reached(cap)[0]: said})
        except ValidationError as error:
            self._visit.complain(wrong(error))
            return False
        return await self._did(
            costs.put_budget, scope=BudgetScope(cap["scope"]), name=cap["name"] or costs.WHOLE_OFFICE,
            period=BudgetPeriod(cap["period"]), caps=caps,
        )  # fmt: skip

    async def _refuse(self, said: str) -> bool:
        body = evidence.Answer(yes=False, comment=said)
        return await self._did(evidence.answer_evidence, evidence_id=self.about.subject, body=body)

    async def _decide(self, *, yes: bool) -> None:
        said = self.typed.strip()
        body = evidence.Answer(yes=yes, comment=said or None)
        await self._did(evidence.answer_evidence, evidence_id=self.about.subject, body=body)

    async def _approve_spec(self) -> None:
        action = self.about.action or {}
        await self._visit.attempt(
            specs.approve_spec, "do.approved", task=str(action["name"]), version=int(action["version"])
        )

    async def _retry_spec(self) -> None:
        await self._did(specs.retry_spec_task, task=str((self.about.action or {})["name"]))

    async def _retry_job(self) -> None:
        await self._did(jobs.retry_job, job_id=self.about.subject, body=jobs.Again())

    async def _merge(self) -> None:
        body = pull_requests.Merge()
        await self._did(pull_requests.merge_pull_request, pull_request_id=self.about.subject, body=body)

    async def _did(self, route: Route, **arguments: Any) -> bool:
        return await self._visit.attempt(route, "do.sent", **arguments) is not None

    async def _again(self) -> None:
        """Asks for the same once more, as a new command."""
        command = await self._visit.attempt(commands.get_command, command_id=self.about.command_id)
        if command is None:
            return
        body = commands.NewCommand(
            command_type=command.command_type, payload=command.payload, priority=command.priority,
            session_id=command.session_id if "role" not in command.payload else None,
            max_attempts=command.max_attempts,
        )  # fmt: skip
        if await self._visit.attempt(commands.insert_command, "do.sent", body=body) is not None:
            await self._put_away()

    async def _approve(self) -> None:
        body = approvals.Answer(digest=self._digest)
        await self._visit.attempt(approvals.approve, "do.approved", approval_id=self.about.subject, body=body)

    async def _deny(self) -> None:
        body = approvals.Denial(digest=self._digest)
        await self._visit.attempt(approvals.deny, "do.denied", approval_id=self.about.subject, body=body)

    @property
    def _digest(self) -> str:
        """Of the action that is shown here: the answer is to no other."""
        return str((self.about.action or {})["digest"])

    async def _put_away(self) -> None:
        await self._visit.attempt(attention.put_away, kind=self.about.kind, subject=self.about.subject)

    async def _interrupt(self) -> None:
        await self._visit.attempt(sessions.cancel_turn, "do.sent", session_id=self.about.session_id, wait=0)

    async def _terminate(self) -> None:
        await self._visit.attempt(sessions.terminate_session, "do.sent", session_id=self.about.session_id, wait=0)
