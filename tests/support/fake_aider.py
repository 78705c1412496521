"""Behaves like aider in its terminal: a prompt of lines, pastes in brackets, an answer in lines, Ctrl-C stops it.

A prompt chooses the answer: "SAYS" says the marker, "ASKS" asks and waits, "SLOW" goes on until it is stopped.
"""

import os
import re
import signal
import sys
import termios
import time
import tty
from types import FrameType

MARKER = "[SEMO:DONE]"


def read_prompt() -> str:
    """What stands before Enter; a paste keeps its line ends."""
    typed = b""
    while True:
        typed += os.read(0, 4096)
        pasted = re.sub(
            rb"\x1b\[200~(.*?)\x1b\[201~", lambda found: found[1].replace(b"\r", b"\n"), typed, flags=re.DOTALL
        )
        if pasted.endswith(b"\r"):
            return pasted[:-1].decode().lstrip("\x15")


def show(text: str) -> None:
    sys.stdout.write(text.replace("\n", "\r\n"))
    sys.stdout.flush()


def interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def answer(prompt: str) -> None:
    if "SAYS" in prompt:
        show(f"\nI made it.\n{MARKER}\n")
    elif "ASKS" in prompt:
        show("\nAdd file to the chat? (Y)es/(N)o [Yes]: ")
        os.read(0, 1)
        show(f"y\n{MARKER}\n")
    elif "SLOW" in prompt:
        show("\nThinking\n")
        time.sleep(60)
    else:
        show("\nThat is all I know.\n")


def main() -> None:
    signal.signal(signal.SIGINT, interrupted)
    tty.setraw(0)
    attributes = termios.tcgetattr(0)
    attributes[3] |= termios.ISIG
    show("Aider v0.0.0 made for tests\nMain model: none\n\x1b[?2004h")
    while True:
        termios.tcsetattr(0, termios.TCSADRAIN, attributes)
        show("\n> ")
        try:
            prompt = read_prompt()
            show(prompt + "\n")
            answer(prompt)
        except KeyboardInterrupt:
            show("\n^C again to exit\n")


if __name__ == "__main__":
    main()
