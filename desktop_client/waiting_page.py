"""What waits for the person: each request with the exact action that an answer is for, each question, each terminal."""

import json
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from desktop_client.bridge import Bridge
from desktop_client.look import Card, button, clock, label
from desktop_client.machines import Machine
from desktop_client.wording import Words
from shared.errors import OfficeError
from shared.local import LocalApproval, LocalQuestion, LocalSession


class WaitingPage(QScrollArea):
    """`show_terminal`: opens the terminal of a session; `tell`: shows what went wrong."""

    def __init__(
        self, words: Words, bridge: Bridge, show_terminal: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._words = words
        self._bridge = bridge
        self._show_terminal = show_terminal
        self._tell = tell
        self._machine: Machine | None = None
        self.cards: dict[str, Card] = {}
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setSpacing(12)
        self._nothing = label(words("waiting.nothing"), quiet=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._column.addWidget(self._nothing)
        self._column.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setAccessibleName(words("page.waiting"))

    def show_state(
        self,
        machine: Machine | None,
        approvals: list[LocalApproval],
        questions: list[LocalQuestion],
        in_terminal: list[LocalSession],
    ) -> None:
        """Cards that stand already stay as they are: somebody may be about to press a key."""
        if machine is not self._machine:
            for key in list(self.cards):
                self._drop(key)
        self._machine = machine
        wanted: dict[str, Callable[[], Card]] = {}
        for approval in approvals:
            wanted[f"approval {approval.approval_id} {approval.digest} {approval.told}"] = self._making(
                self._approval, approval
            )
        for question in questions:
            wanted[f"question {question.question_id}"] = self._making(self._question, question)
        for session in in_terminal:
            wanted[f"terminal {session.session_id} {session.kept_here}"] = self._making(self._terminal, session)
        for key in [key for key in self.cards if key not in wanted]:
            self._drop(key)
        for place, (key, make) in enumerate(wanted.items()):
            if key not in self.cards:
                self.cards[key] = make()
                self._column.insertWidget(place, self.cards[key])
        self._nothing.setVisible(not wanted)

    def focus(self, key: str) -> None:
        """Turns to the card whose name begins so."""
        for name, card in self.cards.items():
            if name.startswith(key):
                self.ensureWidgetVisible(card)
                card.setFocus()
                return

    def _drop(self, key: str) -> None:
        card = self.cards.pop(key)
        self._column.removeWidget(card)
        card.deleteLater()

    @staticmethod
    def _making(make: Callable[[Any], Card], of: Any) -> Callable[[], Card]:
        return lambda: make(of)

    def _card(self, title: str, *lines: str) -> Card:
        card = Card()
        card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        card.setAccessibleName(title)
        card.box.addWidget(label(title, large=True))
        for line in lines:
            card.box.addWidget(label(line, quiet=True))
        return card

    def _approval(self, approval: LocalApproval) -> Card:
        words = self._words
        card = self._card(
            words("waiting.approval", role=approval.role, tool=approval.tool),
            words("waiting.approval_in", folder=approval.folder, at=clock(approval.at)),
            words("waiting.exactly") if approval.told else words("waiting.not_told"),
        )
        exact = QPlainTextEdit(_in_full(approval.input))
        exact.setReadOnly(True)
        exact.setTabChangesFocus(True)
        exact.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        exact.setAccessibleName(words("waiting.exactly"))
        lines = min(12, max(2, exact.document().blockCount()))
        exact.setFixedHeight(exact.fontMetrics().lineSpacing() * lines + 18)
        card.box.addWidget(exact)
        approve, deny = button(words("do.approve")), button(words("do.deny"), danger=True)
        approve.setObjectName("approve")
        deny.setObjectName("deny")
        pressed = [approve, deny]
        for one, allow in ((approve, True), (deny, False)):
            one.setEnabled(approval.told)
            one.clicked.connect(lambda _=False, allow=allow: self._answer_approval(approval, pressed, allow=allow))
        self._add_buttons(card, approve, deny, self._to_terminal(approval.session_id))
        return card

    def _question(self, question: LocalQuestion) -> Card:
        words = self._words
        card = self._card(words("waiting.question", role=question.role))
        card.box.addWidget(label(question.text))
        line = QLineEdit()
        line.setPlaceholderText(words("waiting.your_answer"))
        line.setAccessibleName(words("waiting.your_answer"))
        send = button(words("do.answer"))
        send.clicked.connect(lambda: self._answer_question(question, line.text(), [send]))
        line.returnPressed.connect(send.click)
        options = [button(option) for option in question.options]
        for one in options:
            one.clicked.connect(lambda _=False, one=one: self._answer_question(question, one.text(), [send, *options]))
        if options:
            self._add_buttons(card, *options)
        row = QHBoxLayout()
        row.addWidget(line, 1)
        row.addWidget(send)
        card.box.addLayout(row)
        self._add_buttons(card, self._to_terminal(question.session_id))
        return card

    def _terminal(self, session: LocalSession) -> Card:
        words = self._words
        card = self._card(
            words("waiting.in_terminal", role=session.role), *(session.kept_here or [words("waiting.in_terminal_why")])
        )
        self._add_buttons(card, self._to_terminal(session.session_id))
        return card

    def _to_terminal(self, session_id: str) -> Any:
        made = button(self._words("do.show_terminal"))
        made.clicked.connect(lambda: self._show_terminal(session_id))
        return made

    @staticmethod
    def _add_buttons(card: Card, *buttons: Any) -> None:
        row = QHBoxLayout()
        for one in buttons:
            row.addWidget(one)
        row.addStretch(1)
        card.box.addLayout(row)

    def _answer_approval(self, approval: LocalApproval, buttons: list[Any], *, allow: bool) -> None:
        self._send(
            "answer_approval", buttons, approval_id=approval.approval_id, digest=approval.digest, allow=allow
        )  # fmt: skip

    def _answer_question(self, question: LocalQuestion, answer: str, buttons: list[Any]) -> None:
        self._send("answer_question", buttons, question_id=question.question_id, answer=answer)

    def _send(self, op: str, buttons: list[Any], **details: Any) -> None:
        """Once: nothing more can be pressed until it is known what came of it. The card goes with what it is for."""
        if self._machine is None:
            return
        for one in buttons:
            one.setEnabled(False)

        def then(_: Any, error: OfficeError | None) -> None:
            if error is not None:
                self._tell(f"{error.detail} ({error.advice})" if error.advice else error.detail)
                for one in buttons:
                    one.setEnabled(True)

        self._bridge.ask(self._machine.key, op, then, **details)


def _in_full(action: Any) -> str:
    """All of an action, as a person reads it: a command as it would run, anything else by its names."""
    if not isinstance(action, dict):
        return json.dumps(action, ensure_ascii=False, indent=2)
    named: dict[str, Any] = action  # pyright: ignore[reportUnknownVariableType]
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in named.items()
    )
