"""The machine's own rules, as they are in force, and the file that says them."""

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFontDatabase
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from desktop_client.look import Card, button, label, status_color
from desktop_client.machines import Machine
from desktop_client.wording import Words
from shared.local import LocalPolicy


class PolicyPage(QWidget):
    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words
        self._shown: LocalPolicy | None = None
        self._path = ""
        self._where = label("", wraps=False)
        self.open = button(words("do.open_policy"))
        self.open.clicked.connect(self._open)
        top = QHBoxLayout()
        top.addWidget(self._where, 1)
        top.addWidget(self.open)
        self.problem = label("")
        self._rules = Card()
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(24)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._rules.box.addLayout(self._form)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName(words("policy.text"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(label(words("policy.why"), quiet=True))
        layout.addLayout(top)
        layout.addWidget(self.problem)
        layout.addWidget(self._rules)
        layout.addWidget(self.text, 1)

    def show_state(self, machine: Machine | None) -> None:
        policy = machine.policy if machine is not None and machine.running else None
        self._path = policy.path if policy is not None else str(machine.policy_file) if machine is not None else ""
        self._where.setText(self._path)
        self.open.setEnabled(bool(self._path))
        if policy is None:
            policy = self._from_disk()
        if policy == self._shown:
            return
        self._shown = policy
        self.problem.setVisible(policy.problem is not None)
        self.problem.setText(self._words("policy.problem", problem=policy.problem or ""))
        self.problem.setStyleSheet(f"color: {status_color('failed').name()}")
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in policy.rules:
            self._form.addRow(label(self._words.of("rule", name), quiet=True, wraps=False), label(value))
        self._rules.setVisible(bool(policy.rules))
        self.text.setPlainText(policy.text)

    def _from_disk(self) -> LocalPolicy:
        """As nobody runs who could say what is in force."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                text = file.read(65_536)
        except OSError:
            text = f"# {self._words('policy.none')}"
        return LocalPolicy(self._path, text, [], None)

    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._path))
