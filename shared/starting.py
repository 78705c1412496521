"""How a process of ours starts: what it loads then stays for its life, so nobody looks through it for garbage."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def loading() -> Generator[None]:
    """For the imports of a program: without it, garbage that is not there is looked for during a fifth of the start.

    What was made until its end is looked through no more, later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
