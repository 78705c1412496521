"""Questions to the person before something ends that cannot be begun again."""

from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from desktop_client.look import button, label
from desktop_client.wording import Words


class Asking(QDialog):
    """`steps`: what the button says, each time it has to be pressed. Cancelling is what Enter and Escape do.

    The window keeps it true while it stands: `reword` says the same of what is there by then.
    """

    def __init__(
        self, parent: QWidget, words: Words, title: str, why: str, steps: list[str], then: Callable[[], None]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(words("window.title"))
        self.setModal(True)
        self._steps = steps
        self._pressed = 0
        self._then = then
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(10)
        self.title = label(title, large=True)
        layout.addWidget(self.title)
        explained = label(why)
        explained.setMinimumWidth(380)
        layout.addWidget(explained)
        buttons = QDialogButtonBox()
        self.cancel = button(words("do.cancel"))
        self.go = button(steps[0], danger=True)
        buttons.addButton(self.cancel, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.addButton(self.go, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.go.clicked.connect(self._press)
        self.cancel.setDefault(True)
        self.cancel.setFocus()
        layout.addWidget(buttons)

    def reword(self, title: str, steps: list[str]) -> None:
        """As many steps as before."""
        self._steps = steps
        self.title.setText(title)
        self._show_step()

    def _show_step(self) -> None:
        self.go.setText(self._steps[self._pressed])
        self.go.setAccessibleName(self.go.text())

    def _press(self) -> None:
        if self._pressed + 1 < len(self._steps):
            self._pressed += 1
            self._show_step()
            self.cancel.setFocus()
            return
        self.accept()
        self._then()
