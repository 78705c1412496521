"""Starts one program in a PTY of its own, with nothing of this process but what its terminal gives it."""

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ptyprocess import PtyProcess  # pyright: ignore[reportMissingTypeStubs]  it has none

from remote_client.terminals import TerminalSpec
from shared.errors import SessionFailed

_LONGEST_SIDE = 65_535


class Spawned(Protocol):
    """What we use of a PtyProcess."""

    pid: int
    fd: int
    terminated: bool
    delayafterclose: float

    def close(self) -> None: ...


def require_size(cols: int, rows: int) -> None:
    """
    Raises:
        SessionFailed: no terminal can have it.
    """
    if not (0 < cols <= _LONGEST_SIDE and 0 < rows <= _LONGEST_SIDE):
        raise SessionFailed(f"a terminal cannot have {cols} columns and {rows} rows")


def spawn(spec: TerminalSpec, environment: Mapping[str, str]) -> Spawned:
    """
    Raises:
        SessionFailed: the program or the folder is not there, or there is no PTY left.
    """
    require_size(spec.cols, spec.rows)

    def in_child() -> None:
        # Not by ptyprocess's `cwd`: a folder that is not there would leave a second copy of this process running.
        os.chdir(spec.folder)
        if spec.umask is not None:
            os.umask(spec.umask)
        # What is ignored stays so in every program that is started: Python ignores two, and whoever starts a client in
        # the background of a script makes it ignore Ctrl-C.
        for number in signal.valid_signals():
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    command = [_program(spec.command[0], environment), *spec.command[1:]]
    try:
        return cast(Any, PtyProcess).spawn(
            command, env=dict(environment), dimensions=(spec.rows, spec.cols), preexec_fn=in_child
        )
    except OSError as error:
        _let_go_of_child(error)
        raise SessionFailed(f"cannot start {spec.command[0]} in {spec.folder}: {error}") from error


def _let_go_of_child(error: OSError) -> None:
    """ptyprocess leaves a child that could not start, and its PTY, to the garbage collector, which may come late."""
    trace = error.__traceback__
    while trace is not None:
        with contextlib.suppress(RuntimeError):  # our own frame is still at work
            trace.tb_frame.clear()
        trace = trace.tb_next


def _program(name: str, environment: Mapping[str, str]) -> str:
    """Found by the search path that the program itself will see."""
    if os.sep in name:
        return name
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)  # noqa: PTH118  an empty folder stands for the present one
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    raise SessionFailed(f"cannot start {name}: it is not in the search path")
