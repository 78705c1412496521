"""Questions to the person before something ends that cannot be begun again."""

from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from desktop_client.look import button, label
from desktop_client.wording import Words


class Asking(QDialog):
    """`steps`: what the button says, each time it has to be pressed. Cancelling is what Enter and Escape do."""

    def __init__(
        self, parent: QWidget, words: Words, title: str, why: str, steps: list[str], then: Callable[[], None]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(words("window.title"))
        self.setModal(True)
        self._steps = list(steps)
        self._then = then
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(label(title, large=True))
        explained = label(why)
        explained.setMinimumWidth(380)
        layout.addWidget(explained)
        buttons = QDialogButtonBox()
        self.cancel = button(words("do.cancel"))
        self.go = button(self._steps.pop(0), danger=True)
        buttons.addButton(self.cancel, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.addButton(self.go, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.go.clicked.connect(self._pressed)
        self.cancel.setDefault(True)
        self.cancel.setFocus()
        layout.addWidget(buttons)

    def _pressed(self) -> None:
        if self._steps:
            self.go.setText(self._steps.pop(0))
            self.go.setAccessibleName(self.go.text())
            self.cancel.setFocus()
            return
        self.accept()
        self._then()
