"""The machines of the office: how each is truly connected, what it can do, what runs there; letting them in and out."""

from typing import Any

from pydantic import ValidationError

from office_server.dashboard.bits import Ago, State, attributed, button, element, empty, text
from office_server.dashboard.dialogs import one_line, sure
from office_server.dashboard.enrolling import offer_code
from office_server.dashboard.feed import News
from office_server.dashboard.frame import page
from office_server.dashboard.machine_policy import PolicyDialog
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.picture_rows import Picture, SeenMachine, SeenSession
from office_server.routes import clients, enrollment
from shared.ids import ClientId, SessionId
from shared.states import SessionStatus


@page("machines", icon="computer", key="m")
async def machines(visit: Visit) -> None:
    words = visit.words
    if visit.may(enrollment.create_enrollment):
        with element("div", "tools"):
            button(words("machines.enrol"), lambda: offer_code(visit), "button first")
    policy = PolicyDialog(visit)
    box = element("div", "cards")
    nothing = empty(words("machines.none"), words("machines.none_hint"))
    cards: dict[ClientId, _Card] = {}

    def look(news: News) -> None:
        picture = news.picture
        if picture is None or not news.new_picture:
            return
        for gone in cards.keys() - {machine.id for machine in picture.machines}:
            cards.pop(gone).box.delete()
        for place, machine in enumerate(picture.machines):
            if machine.id not in cards:
                with box:
                    cards[machine.id] = _Card(visit, policy, machine)
            card = cards[machine.id]
            card.show(machine, _sessions_of(machine, picture))
            if box.default_slot.children[place] is not card.box:
                card.box.move(target_index=place)
        policy.look(picture)
        nothing.set_visibility(not picture.machines)

    visit.on_news(look)


def _sessions_of(machine: SeenMachine, picture: Picture) -> list[SeenSession]:
    return [seen for seen in picture.sessions if seen.client_id == machine.id and seen.ended_at is None]


class _Card:
    """A machine. What is told of it changes often, and its buttons with it only when they are others: who is about to
    press one must not have it made anew below the finger."""

    def __init__(self, visit: Visit, policy: PolicyDialog, machine: SeenMachine) -> None:
        self._visit = visit
        self._policy = policy
        self._machine = machine
        self._told: dict[str, Any] | None = None
        self._sessions: list[tuple[SessionId, str, SessionStatus]] | None = None
        self._offered: tuple[bool, bool] | None = None
        self.box = element("article", "sheet card")
        with self.box:
            self._facts = element("div", "told")
            self._chips = element("ul", "chips")
            self._does = element("div", "does")

    def show(self, machine: SeenMachine, sessions: list[SeenSession]) -> None:
        """When it was seen last matters only once it is away; its memory is brought up to date alone."""
        self._machine = machine
        told = machine.model_dump(exclude={"last_seen_at", "memory"})
        if told != self._told:
            self._told = told
            attributed(self.box, aria_label=machine.name).update()
            self._facts.clear()
            with self._facts:
                self._build_facts(machine)
        self._memory.show(machine)
        shown = [(seen.id, seen.role, seen.status) for seen in sessions]
        if shown != self._sessions:
            self._sessions = shown
            self._show_sessions(sessions)
        offered = machine.policy is not None, machine.draining_since is not None
        if offered != self._offered:
            self._offered = offered
            self._offer(drains=machine.draining_since is not None)

    def _build_facts(self, machine: SeenMachine) -> None:
        words = self._visit.words
        with element("div", "top"):
            text("h2", machine.name, "role")
            State(machine.connection, words.of("connection", machine.connection))
        text("p", words.of("machines.why", _standing(machine)), "quiet")
        if machine.draining_since is not None:
            text("p", words("machines.drains"), "waits")
        if machine.paused_since is not None:
            text("p", words("machines.paused"), "waits")
        with element("dl", "facts"):
            text("dt", words("machines.since"))
            with element("dd"):
                Ago(machine.connection_since)
            _fact(
                words("machines.capacity"), words("machines.places", taken=machine.places_taken, all=machine.capacity)
            )
            agents = machine.capabilities.get("agents", {})
            _fact(
                words("machines.repository"), (machine.repository or {}).get("path") or words("machines.no_repository")
            )
            _fact(words("machines.agents"), ", ".join(f"{name} {version}" for name, version in agents.items()) or "–")
            rules: dict[str, Any] = (machine.policy or {}).get("agents", {})
            tools = sorted({str(name) for rule in rules.values() for name in rule.get("mcp", [])})
            _fact(words("machines.tools"), ", ".join(tools) or "–")
            _fact(words("machines.version"), machine.version or "–")
            self._memory = _Memory(self._visit, machine)

    def _show_sessions(self, sessions: list[SeenSession]) -> None:
        self._chips.clear()
        self._chips.set_visibility(bool(sessions))
        with self._chips:
            for seen in sessions:
                address = self._visit.address("sessions", session=seen.id)
                with element("li"), element("a", "chip", href=address):
                    text("span", seen.role)
                    State(seen.status, self._visit.words.of("status", seen.status))

    def _offer(self, *, drains: bool) -> None:
        visit, words = self._visit, self._visit.words
        self._does.clear()
        with self._does:
            if self._machine.policy is not None:
                button(words("machines.policy"), lambda: self._policy.open(self._machine))
            if visit.may(clients.change_client):
                button(words("do.rename"), lambda: _rename(visit, self._machine))
                button(words("do.drain_no_more" if drains else "do.drain"), lambda: _drain(visit, self._machine))
                button(words("do.revoke"), lambda: _revoke(visit, self._machine), "button danger")


class _Memory:
    """How much memory a machine has left; it changes with each heartbeat."""

    def __init__(self, visit: Visit, machine: SeenMachine) -> None:
        self._words = visit.words
        text("dt", self._words("machines.memory"))
        with element("dd"):
            self._said = text("span", "–")
            self._bar = element("div", "measure", aria_hidden="true")
        self.show(machine)

    def show(self, machine: SeenMachine) -> None:
        memory = machine.memory
        self._bar.set_visibility(bool(memory))
        if not memory:
            return
        free, total = memory["free"], max(memory["total"], 1)
        said = self._words("machines.memory_free", free=f"{free / 1024:.1f}", total=f"{total / 1024:.1f}")
        if machine.holding_back:
            said = f"{said} · {self._words.of('holding_back', str(machine.holding_back.get('reason')))}"
        if said != self._said.text:
            self._said.show(said)
            self._bar.style(f"--share: {100 * (total - free) / total:.0f}%")


def _standing(machine: SeenMachine) -> str:
    if machine.online:
        return str(machine.connection)
    return "signed_off" if machine.signed_off else "vanished"


def _fact(name: str, value: str) -> None:
    text("dt", name)
    text("dd", value)


async def _rename(visit: Visit, machine: SeenMachine) -> None:
    name = await one_line(visit.words, visit.words("machines.rename"), visit.words("machines.name"), machine.name)
    if name is not None:
        try:
            body = clients.ClientChange(name=name)
        except ValidationError as error:
            visit.complain(wrong(error))
            return
        await visit.attempt(clients.change_client, "do.saved", client_id=machine.id, body=body)


async def _drain(visit: Visit, machine: SeenMachine) -> None:
    body = clients.ClientChange(draining=machine.draining_since is None)
    await visit.attempt(clients.change_client, "do.saved", client_id=machine.id, body=body)


async def _revoke(visit: Visit, machine: SeenMachine) -> None:
    words = visit.words
    if await sure(
        words, words("machines.revoke_sure", name=machine.name), words("machines.revoke_what"), words("do.revoke")
    ):
        await visit.attempt(clients.revoke_client, "do.revoked", client_id=machine.id)
