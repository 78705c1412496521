"""The office server as a FastAPI application: wires the parts and says who starts and stops them.

Keeps nothing between requests: any number of servers may work on one database.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from office_server import problems
from office_server.asking import Desk
from office_server.backend import Backend, open_backend
from office_server.description import ADDRESS, Description
from office_server.enrollment import Enrollment
from office_server.following import Feed
from office_server.hints import Hints
from office_server.limits import TriesPerMinute
from office_server.maintenance import Maintenance
from office_server.metrics import Metrics
from office_server.middleware import BodyLimit, Observed
from office_server.once import Once
from office_server.personas import PersonaKeeper
from office_server.planning import Planner
from office_server.results import Results
from office_server.routes import (
    approvals,
    attention,
    audit,
    clients,
    commands,
    conflicts,
    costs,
    enrollment,
    events,
    evidence,
    executions,
    health,
    jobs,
    members,
    offices,
    personas,
    plans,
    pool,
    prompts,
    pull_requests,
    questions,
    sessions,
    spec_prompts,
    spec_tasks,
    templates,
    tokens,
)
from office_server.scheduler import Scheduler
from office_server.services import Services
from office_server.settings import OfficeSettings, origins_in
from office_server.spec_tasks.keeper import SpecKeeper
from office_server.user_tokens import PublicKeys, UserTokens
from realtime_line.socket import Endpoint
from shared.tls import tls_for

_ROUTERS = (
    attention, audit, offices, personas, clients, enrollment, sessions, prompts, commands, events, approvals, costs,
    pool, plans, jobs, executions, templates, tokens, members, pull_requests, evidence, conflicts, spec_tasks,
    spec_prompts, questions, health,
)  # fmt: skip


def create_app(settings: OfficeSettings) -> FastAPI:
    """The application. It starts without Supabase, too: `/readyz` then says what is missing."""
    metrics = Metrics()
    app = FastAPI(
        title="SEMO Office",
        version="0.1.0",
        description="Hands work to coding agents in real terminals on developers' own machines.",
        lifespan=_lifespan(settings, metrics),
        generate_unique_id_function=_operation_id,
        docs_url=None,  # its page would run scripts of others where tokens are at home
        redoc_url=None,
        openapi_url=None,  # see `description`
        responses=problems.RESPONSES,
    )
    for module in _ROUTERS:
        app.include_router(module.router)
    problems.install(app)
    app.add_middleware(BodyLimit, limit_bytes=settings.body_limit_bytes, small={"/api/enroll": 4096})
    if origins := origins_in(settings.cors_origins):
        # Without credentials: a browser sends no cookie of the dashboard along, only the token that the page has.
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Retry-After"], max_age=600,
        )  # fmt: skip
    app.add_middleware(Observed, metrics=metrics)
    description = Description(app)
    app.openapi = description.document
    app.add_route(ADDRESS, description.answer, include_in_schema=False)
    return app


def _lifespan(settings: OfficeSettings, metrics: Metrics) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        key = settings.service_role_key.get_secret_value()
        supabase_url = str(settings.supabase_url)
        async with (
            open_backend(supabase_url, key, settings.backend_timeout_seconds) as backend,
            httpx.AsyncClient(timeout=settings.backend_timeout_seconds, verify=tls_for(supabase_url)) as http,
        ):
            services = make_services(settings, backend, http, metrics)
            app.state.services = services
            maintenance = Maintenance(backend, services.personas, settings.maintenance_seconds, settings.prune_seconds)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(maintenance.run(), name="maintenance"),
                    tasks.create_task(services.scheduler.run(), name="scheduler"),
                ]
                running.append(tasks.create_task(services.spec_keeper.run(), name="spec tasks"))
                if settings.realtime:
                    running.append(tasks.create_task(services.hints.run(), name="hints"))
                yield
                for task in running:
                    task.cancel()

    return lifespan


def _user_tokens(settings: OfficeSettings, http: httpx.AsyncClient) -> UserTokens:
    auth_url = f"{str(settings.supabase_url).rstrip('/')}/auth/v1"
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else None
    keys = PublicKeys(http, f"{auth_url}/.well-known/jwks.json")
    return UserTokens(keys, secret, settings.jwt_issuer or auth_url, settings.jwt_audience)


def make_services(settings: OfficeSettings, backend: Backend, http: httpx.AsyncClient, metrics: Metrics) -> Services:
    realtime_url = f"{str(settings.supabase_url).rstrip('/')}/realtime/v1"
    hints = Hints(Endpoint(realtime_url, settings.service_role_key.get_secret_value()), backend.upkeep.echo_hint)
    scheduler = Scheduler(backend, hints, metrics, settings.schedule_poll_seconds)
    desk = Desk(backend, metrics)
    return Services(
        settings=settings,
        backend=backend,
        hints=hints,
        results=Results(backend, hints, settings.poll_seconds),
        feed=Feed(backend, hints, settings.poll_seconds),
        desk=desk,
        personas=PersonaKeeper(backend),
        enrollment=Enrollment(backend),
        enroll_tries=TriesPerMinute(settings.enroll_per_minute),
        sign_in_tries=TriesPerMinute(settings.enroll_per_minute),
        request_tries=TriesPerMinute(settings.requests_per_minute),
        user_tokens=_user_tokens(settings, http),
        once=Once(settings.service_role_key.get_secret_value()),
        metrics=metrics,
        scheduler=scheduler,
        planner=Planner(backend, scheduler),
        spec_keeper=SpecKeeper(backend, desk, hints, scheduler),
    )


def _operation_id(route: APIRoute) -> str:
    return route.name
