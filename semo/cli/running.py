"""Runs one command to its end: signals cancel it, errors become one clear line, and the exit code says how it went."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Generator

from local_supabase.errors import EmbeddedError
from semo import console
from semo.problems import Exit, SemoError


def run_to_end(action: Callable[[], Awaitable[Exit | None]]) -> None:
    """Ctrl-C and SIGTERM cancel it, so that whatever it started is stopped in order. Raises SystemExit."""

    async def with_signals() -> Exit:
        task = asyncio.ensure_future(action())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task or Exit.DONE

    try:
        with errors_in_words():
            code = asyncio.run(with_signals())
    except asyncio.CancelledError:
        code = Exit.INTERRUPTED
    raise SystemExit(int(code))


@contextlib.contextmanager
def errors_in_words() -> Generator[None]:
    try:
        yield
    except SemoError as error:
        console.bad(error)
        raise SystemExit(int(error.exit_code)) from None
    except EmbeddedError as error:
        console.bad(SemoError(error.what, kept=error.kept, do=error.do))
        raise SystemExit(int(Exit.NOT_DONE)) from None
