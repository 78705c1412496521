"""Signing in and out: plain pages without scripts. A secret comes by POST alone and never stands in an address."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from office_server.access import Caller
from office_server.dashboard import codes, people, words
from office_server.dashboard.signing import COOKIE
from office_server.dashboard.state import BASE, shared
from office_server.dashboard.words import LANGUAGES
from office_server.problems import TooManyRequests
from office_server.services import ServicesDep
from shared.errors import BadEnrollmentCode, Forbidden, OfficeError, Unauthenticated

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined, autoescape=True
)
_WHYS = ("expired", "removed")


@router.post("/api/sign-in-codes", status_code=201, include_in_schema=True, tags=["dashboard"])
async def create_sign_in_code(caller: Caller, services: ServicesDep) -> codes.SignInCode:
    """A code that signs one browser in as the caller, once, within a minute."""
    return await codes.make(services, people.name_of(caller))


@router.get(f"{BASE}/sign-in")
async def show_sign_in(request: Request, next: str = "", why: str = "") -> Response:  # noqa: A002 - as the address has it
    return _page(request, next, f"sign_in.{why}" if why in _WHYS else None, 200)


@router.post(f"{BASE}/sign-in")
async def sign_in(
    request: Request, services: ServicesDep, secret: Annotated[str, Form(max_length=4096)] = "",
    email: Annotated[str, Form(max_length=254)] = "", password: Annotated[str, Form(max_length=1024)] = "",
    next: Annotated[str, Form(max_length=2048)] = "",  # noqa: A002
) -> Response:  # fmt: skip
    comes_from = request.client.host if request.client else "unknown"
    try:
        services.sign_in_tries.note(comes_from)
        if email:
            person = await people.who_has(services, email.strip(), password)
        else:
            person = await people.who_signs_in(services, secret.strip())
        await people.who_is(services, person)
        services.sign_in_tries.was_right(comes_from)
    except (Unauthenticated, BadEnrollmentCode):
        return _page(request, next, "sign_in.wrong_password" if email else "sign_in.wrong", 401, email)
    except Forbidden:
        return _page(request, next, "sign_in.no_member", 403, email)
    except TooManyRequests:
        return _page(request, next, "sign_in.too_many", 429)
    except OfficeError:
        return _page(request, next, "sign_in.unavailable", 503)
    signing = shared().signing
    response = RedirectResponse(own_address(next), 303)
    response.set_cookie(
        COOKIE, signing.sign(person), max_age=int(signing.lasts.total_seconds()), path=BASE, httponly=True,
        samesite="lax", secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.post(f"{BASE}/sign-out")
async def sign_out() -> Response:
    response = RedirectResponse(f"{BASE}/sign-in", 303)
    response.delete_cookie(COOKIE, path=BASE)
    return response


@router.get(f"{BASE}/language/{{language}}")
async def choose_language(language: str, next: str = "") -> Response:  # noqa: A002
    response = RedirectResponse(own_address(next), 303)
    if language in LANGUAGES:
        response.set_cookie(words.COOKIE, language, max_age=31_536_000, path=BASE, samesite="lax")
    return response


def address(to: str, why: str = "") -> str:
    """Where somebody signs in who wants to go to `to`."""
    return f"{BASE}/sign-in?next={quote(to)}" + (f"&why={why}" if why else "")


def own_address(wanted: str) -> str:
    """`wanted`, if it is one of our own pages: nobody is sent to another site."""
    return wanted if wanted.startswith(f"{BASE}/") and "//" not in wanted and "\\" not in wanted else f"{BASE}/"


def _page(request: Request, wanted: str, said: str | None, status: int, email: str = "") -> HTMLResponse:
    chosen = words.chosen(request.cookies.get(words.COOKIE), request.headers.get("accept-language"))
    theme = request.cookies.get("semo_theme", "")
    html = _templates.get_template("sign_in.html.j2").render(
        words=chosen, base=BASE, email=email, wanted=own_address(wanted), said=chosen(said) if said else "",
        refused=status != 200,
        languages=LANGUAGES, theme=theme if theme in ("dark", "light") else "", version=shared().style_version,
    )  # fmt: skip
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})
