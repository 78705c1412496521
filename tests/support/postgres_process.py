"""Runs one PostgreSQL until its standard input closes, so that it cannot outlive the tests that need it.

python -m tests.support.postgres_process FOLDER [BIN]      prints its port
"""

import asyncio
import sys
from pathlib import Path

from local_supabase.postgres import PostgresServer


async def main(folder: Path, programs: Path | None) -> None:
    server = PostgresServer(folder, programs=programs, durable=False)
    try:
        async with server:
            sys.stdout.write(f"{server.port}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
    finally:
        await server.remove()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
