"""What the routes share: made once at start, handed to them by FastAPI."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from office_server.asking import Desk
from office_server.backend import Backend
from office_server.enrollment import Enrollment
from office_server.following import Feed
from office_server.hints import Hints
from office_server.limits import TriesPerMinute
from office_server.metrics import Metrics
from office_server.once import Once
from office_server.personas import PersonaKeeper
from office_server.planning import Planner
from office_server.results import Results
from office_server.scheduler import Scheduler
from office_server.settings import OfficeSettings
from office_server.spec_tasks.keeper import SpecKeeper
from office_server.user_tokens import UserTokens


@dataclass(frozen=True)
class Services:
    settings: OfficeSettings
    backend: Backend
    hints: Hints
    results: Results
    feed: Feed
    desk: Desk
    personas: PersonaKeeper
    enrollment: Enrollment
    enroll_tries: TriesPerMinute
    sign_in_tries: TriesPerMinute
    request_tries: TriesPerMinute
    user_tokens: UserTokens
    once: Once
    metrics: Metrics
    scheduler: Scheduler
    planner: Planner
    spec_keeper: SpecKeeper


def services_of(request: Request) -> Services:
    return cast("Services", request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]
