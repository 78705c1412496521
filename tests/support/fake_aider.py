"""Behaves like aider 0.86 in its terminal: a prompt that is painted again at Enter, pastes in brackets, an answer in
lines, Ctrl-C stops it; and it writes its history down.

A prompt chooses the answer: "SAYS" says the marker, "ASKS" asks and waits, "SLOW" goes on until it is stopped, "FAILS"
tells an error of its API, "FORGETS" says the marker and writes nothing down.
"""

import os
import re
import signal
import sys
import termios
import time
import tty
from pathlib import Path
from types import FrameType

MARKER = "[SEMO:DONE]"
HISTORY = next(Path(one.partition("=")[2]) for one in sys.argv if one.startswith("--chat-history-file="))


def show(text: str) -> None:
    sys.stdout.write(text.replace("\n", "\r\n"))
    sys.stdout.flush()


def write_down(text: str) -> None:
    with HISTORY.open("a") as file:
        file.write(text)


def read_prompt() -> str:
    """What stands before Enter; a paste keeps its line ends."""
    typed = b""
    while True:
        typed += os.read(0, 4096)
        pasted = re.sub(
            rb"\x1b\[200~(.*?)\x1b\[201~", lambda found: found[1].replace(b"\r", b"\n"), typed, flags=re.DOTALL
        )
        text = re.sub(rb".*[\x15\x0b]", b"", pasted, flags=re.DOTALL).decode()
        show(f"\r\x1b[J> {text.rstrip()}")
        if text.endswith("\r"):
            return text.rstrip("\r")


def interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def answer(prompt: str) -> None:
    if "FAILS" in prompt:
        show("\nlitellm.BadRequestError: made up\n")
        write_down("> litellm.BadRequestError: made up  \n")
    elif "SAYS" in prompt:
        show(f"\nI made it.\n{MARKER}\n")
        write_down(f"\nI made it.\n{MARKER}\n\n> Tokens: 634 sent, 9 received.  \n")
    elif "FORGETS" in prompt:
        show(f"\n{MARKER}\n{MARKER}\n")
    elif "ASKS" in prompt:
        write_down(f"\n{MARKER}\n\n")
        show(f"\n{MARKER}\nAdd file to the chat? (Y)es/(N)o [Yes]: ")
        os.read(0, 1)
        show("y\n")
    elif "SLOW" in prompt:
        show("\nThinking\n")
        time.sleep(60)
    else:
        show("\nThat is all I know.\n")
        write_down("\nThat is all I know.\n\n")


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
            write_down("\n" + "".join(f"#### {line}  \n" for line in prompt.splitlines()))
            answer(prompt)
        except KeyboardInterrupt:
            show("\n^C again to exit\n")
            write_down("> ^C again to exit  \n")


if __name__ == "__main__":
    main()
