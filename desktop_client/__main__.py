"""`python -m desktop_client --client STATE POLICY …`: the window, until the person leaves. `semo desktop` starts it."""

import argparse
import gc
import sys
from pathlib import Path

# Nobody speaks TLS here, and it would be a tenth of this process's memory.
sys.modules["ssl"] = None  # pyright: ignore[reportArgumentType]  the import system's own word for "not there"


def main() -> int:
    parser = argparse.ArgumentParser(prog="desktop_client")
    parser.add_argument("--client", nargs=2, action="append", metavar=("STATE", "POLICY"), required=True)
    parser.add_argument("--background", action="store_true", help="only the icon in the tray, if there is a tray")
    parser.add_argument("--start-client", action="store_true", help="starts the client if it does not run")
    arguments = parser.parse_args()

    from PySide6.QtWidgets import QApplication, QSystemTrayIcon

    from desktop_client.app import Desktop, Once, listen_to_signals
    from desktop_client.autostart import Autostart, at_login
    from desktop_client.machines import Machine
    from desktop_client.wording import Words, language

    machines = [Machine(Path(state), Path(policy)) for state, policy in arguments.client]
    once = Once(machines[0].state_folder)
    if not once.is_first():
        once.call_the_first()
        return 0
    application = QApplication(sys.argv[:1])
    application.setApplicationName("SEMO Office")
    application.setDesktopFileName("semo-office")
    application.setQuitOnLastWindowClosed(False)
    application.setStyle("Fusion")
    desktop = Desktop(Words(language()), machines, Autostart(at_login(arguments.client)))
    if arguments.start_client:
        desktop.start_clients()
    if not (arguments.background and QSystemTrayIcon.isSystemTrayAvailable()):
        desktop.window.show()
    listening = listen_to_signals(desktop)
    once.can_be_called()
    gc.freeze()
    code = application.exec()
    desktop.close()
    del listening
    return code


if __name__ == "__main__":
    sys.exit(main())
