"""Runs the embedded Realtime behind a real HTTP server on a free port, in the test's own event loop."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
import uvicorn
from psycopg import sql
from starlette.applications import Starlette

from local_supabase.database import Database
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
    http_server: uvicorn.Server

    @property
    def url(self) -> str:
        """Of the Supabase project."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/realtime/v1/websocket"

    def token(self, role: str = "authenticated", **claims: Any) -> str:
        return mint(self.keys.jwt_secret, {"role": role, "exp": time.time() + 3600, **claims})

    async def execute(self, statement: str, role: str = "supabase_admin") -> None:
        """Runs SQL and commits."""
        async with await psycopg.AsyncConnection.connect(self.database.dsn_for(role), autocommit=True) as connection:
            await connection.execute(sql.SQL(statement))  # pyright: ignore[reportArgumentType]


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
    with socket.create_server(("127.0.0.1", port)) as listener:
        async with RealtimeServer.start(config) as realtime:
            app = Starlette(routes=realtime.routes)
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", ws_max_size=2**24))
            serving = asyncio.create_task(server.serve([listener]))
            try:
                yield Gateway(listener.getsockname()[1], database, keys, realtime, server)
            finally:
                server.should_exit = True
                await serving
