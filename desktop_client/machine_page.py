"""The client on this machine: how it stands, starting and stopping it, and letting it into an office."""

import socket
from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from desktop_client.autostart import Autostart
from desktop_client.bridge import Bridge
from desktop_client.look import Card, button, clock, label
from desktop_client.machines import Machine
from desktop_client.starting import join_office, start_client
from desktop_client.wording import Words
from shared.errors import OfficeError


class MachinePage(QScrollArea):
    """`tell`: shows what went wrong, or that it went well."""

    def __init__(
        self, words: Words, bridge: Bridge, autostart: Autostart, tell: Callable[[str], None]
    ) -> None:  # fmt: skip
        super().__init__()
        self._words = words
        self._bridge = bridge
        self._autostart = autostart
        self._tell = tell
        self._machine: Machine | None = None
        self._busy = ""
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setSpacing(12)
        column.addWidget(self._client_card())
        column.addWidget(self._join_card())
        column.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setAccessibleName(words("page.machine"))

    def _client_card(self) -> Card:
        words = self._words
        card = Card()
        self._standing = label("", large=True)
        self._why = label("", quiet=True)
        self._facts = QFormLayout()
        self._facts.setHorizontalSpacing(24)
        self._since, self._version, self._offices, self._folder = label(), label(), label(), label()
        for name, shown in (
            ("connection", self._since), ("client", self._version), ("offices", self._offices),
            ("folder", self._folder),
        ):  # fmt: skip
            self._facts.addRow(label(words(f"machine.{name}"), quiet=True), shown)
        self.start, self.stop = button(words("do.start_client")), button(words("do.stop_client"))
        self.start.clicked.connect(self.start_client)
        self.stop.clicked.connect(self._stop_client)
        self.at_login = QCheckBox(words("machine.at_login"))
        self.at_login.setChecked(self._autostart.is_on)
        self.at_login.toggled.connect(self._login_changed)
        row = QHBoxLayout()
        row.addWidget(self.start)
        row.addWidget(self.stop)
        row.addStretch(1)
        row.addWidget(self.at_login)
        card.box.addWidget(self._standing)
        card.box.addWidget(self._why)
        card.box.addLayout(self._facts)
        card.box.addLayout(row)
        return card

    def _join_card(self) -> Card:
        words = self._words
        card = Card()
        card.box.addWidget(label(words("machine.join"), large=True))
        card.box.addWidget(label(words("machine.join_why"), quiet=True))
        form = QFormLayout()
        form.setHorizontalSpacing(24)
        self.code, self.url, self.name = QLineEdit(), QLineEdit(), QLineEdit(socket.gethostname())
        self.code.setPlaceholderText("7KQ2-M9FD")
        self.url.setPlaceholderText(words("machine.url_why"))
        for name, field in (("code", self.code), ("url", self.url), ("name", self.name)):
            field.setAccessibleName(words(f"machine.{name}"))
            form.addRow(words(f"machine.{name}"), field)
            field.returnPressed.connect(self._join)
        card.box.addLayout(form)
        self.join = button(words("do.join"))
        self.join.clicked.connect(self._join)
        row = QHBoxLayout()
        row.addWidget(self.join)
        row.addStretch(1)
        card.box.addLayout(row)
        return card

    def show_state(self, machine: Machine | None) -> None:
        self._machine = machine
        if machine is None:
            return
        if self._busy == ("machine.starting" if machine.running else "machine.stopping"):
            self._busy = ""  # it does, whatever is still waited for
            self._tell("")
        words, state = self._words, machine.state if machine.running else None
        standing = machine.standing
        since = clock(state.connection_since) if state is not None else ""
        self._standing.setText(words(f"standing.{standing}", since=since))
        self._why.setText(machine.problem or words(f"standing_why.{standing}"))
        self._since.setText(words("machine.since", since=since) if since else "–")
        self._version.setText(words("machine.version", version=state.version, pid=state.pid) if state else "–")
        self._offices.setText(", ".join(office.name for office in machine.offices) or "–")
        self._folder.setText(machine.key)
        self.start.setVisible(not machine.running)
        self.start.setEnabled(not self._busy and bool(machine.enrolled) and not machine.revoked)
        self.stop.setVisible(machine.running)
        self.stop.setEnabled(not self._busy)
        self.join.setEnabled(not self._busy)

    # What is done -----------------------------------------------------------------------------------------------------

    def start_client(self) -> None:
        machine = self._machine
        if machine is None or machine.running or self._busy:
            return

        self._begin("machine.starting")
        self._bridge.do(start_client(machine.state_folder, machine.policy_file), self._ended)

    def _stop_client(self) -> None:
        if self._machine is not None and not self._busy:
            self._begin("machine.stopping")
            self._bridge.ask(self._machine.key, "stop_client", self._ended)

    def _join(self) -> None:
        machine = self._machine
        if machine is None or self._busy or not self.code.text().strip():
            self.code.setFocus()
            return

        def then(office: Any, error: OfficeError | None) -> None:
            if error is None:
                self.code.clear()
                machine.look_at_disk()
            self._ended(office, error)
            if error is None:
                self._tell(self._words("machine.joined", office=office))
            if error is None and not machine.running:
                self.start_client()

        self._begin("machine.joining")
        work = join_office(self.code.text(), self.url.text().strip(), self.name.text().strip(), machine.state_folder)
        self._bridge.do(work, then)

    def _begin(self, words: str) -> None:
        self._busy = words
        self._tell(self._words(words))
        self.show_state(self._machine)

    def _ended(self, _: Any, error: OfficeError | None) -> None:
        if self._busy:
            self._busy = ""
            self._tell("")
        if error is not None:
            self._tell(f"{error.detail} ({error.advice})" if error.advice else error.detail)
        self.show_state(self._machine)

    def _login_changed(self, on: bool) -> None:
        try:
            self._autostart.set(on)
        except OSError as error:
            self._tell(str(error))
