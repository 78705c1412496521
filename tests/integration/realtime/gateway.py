"""Runs the embedded Realtime behind a real HTTP server on a free port, in the test's own event loop."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
import uvicorn
from starlette.applications import Starlette

from local_supabase.database import Database
from local_supabase.gateway import listen
from local_supabase.keys import Keys
from local_supabase.realtime.config import Limits, RealtimeConfig
from local_supabase.realtime.routes import RealtimeServer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "realtime"


@dataclass(frozen=True)
class Gateway:
    port: int
    database: Database
    keys: Keys
    realtime: RealtimeServer
    admin: psycopg.AsyncConnection[tuple[Any, ...]]

    @property
    def url(self) -> str:
        """Of the Supabase project."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/realtime/v1/websocket"

    def token(self, role: str = "authenticated", **claims: Any) -> str:
        return mint(self.keys.jwt_secret, {"role": role, "exp": time.time() + 3600, **claims})

    async def execute(self, statement: str) -> None:
        """Runs SQL as `supabase_admin` and commits."""
        await self.admin.execute(statement.encode())


def mint(secret: str, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, secret, algorithm="HS256")


@asynccontextmanager
async def running_gateway(
    database: Database, keys: Keys, limits: Limits | None = None, port: int = 0
) -> AsyncGenerator[Gateway]:
    config = RealtimeConfig(
        database.dsn_for("supabase_admin"),
        database.dsn_for("supabase_replication"),
        keys.jwt_secret,
        limits or Limits(),
    )
    async with (
        await psycopg.AsyncConnection.connect(config.database_dsn, autocommit=True) as admin,
        RealtimeServer.start(config) as realtime,
    ):
        with listen(port) as listener:
            listener.listen()
            app = Starlette(routes=realtime.routes)
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", ws_max_size=2**24))
            serving = asyncio.create_task(server.serve([listener]))
            try:
                yield Gateway(listener.getsockname()[1], database, keys, realtime, admin)
            finally:
                server.should_exit = True
                await serving
