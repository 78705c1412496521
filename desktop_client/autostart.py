"""Whether the window, and with it the client, begins at login: a file where the system looks for it."""

import os
import plistlib
import sys
from collections.abc import Sequence
from pathlib import Path

_LABEL = "office.semo.desktop"


def at_login(clients: Sequence[tuple[str, str]]) -> list[str]:
    """The command that begins in the tray, with the client. `clients`: the folder and the policy file of each."""
    named = [part for state, policy in clients for part in ("--client", state, policy)]
    return [sys.executable, "-m", "desktop_client", *named, "--background", "--start-client"]


class Autostart:
    """`command`: what is to run at login."""

    def __init__(self, command: Sequence[str], platform: str = sys.platform) -> None:
        self._command = list(command)
        self._is_mac = platform == "darwin"

    @property
    def path(self) -> Path:
        if self._is_mac:
            return Path.home() / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
        base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(base) / "autostart" / "semo-office.desktop"

    @property
    def is_on(self) -> bool:
        return self.path.exists()

    def set(self, on: bool) -> None:
        """
        Raises:
            OSError: the file cannot be written.
        """
        if not on:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_bytes(self._plist() if self._is_mac else self._entry().encode())
        draft.replace(self.path)

    def _plist(self) -> bytes:
        return plistlib.dumps({"Label": _LABEL, "ProgramArguments": self._command, "RunAtLoad": True})

    def _entry(self) -> str:
        return (
            "[Desktop Entry]\nType=Application\nName=SEMO Office\n"
            "Comment=What the office's client does on this machine\n"
            f"Exec={' '.join(_quoted(part) for part in self._command)}\n"
            "Terminal=false\nX-GNOME-Autostart-enabled=true\n"
        )


def _quoted(part: str) -> str:
    """As the Desktop Entry Specification wants an argument."""
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`").replace("$", "\\$")
    return '"' + escaped.replace("\\", "\\\\").replace("%", "%%") + '"' if _is_odd(part) else part


def _is_odd(part: str) -> bool:
    return not part or any(not (char.isalnum() or char in "/._-+=:@,") for char in part)
