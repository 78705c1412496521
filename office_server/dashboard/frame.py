"""What every page has around it: navigation, whose office, how fresh it is, theme, language, and the way out.

A page is a function with `@page(...)` in a module of its own below `pages/`; it is given its `Visit` and builds
what stands in `main`. The address is /dashboard/OFFICE/NAME; its title is the text `page.NAME`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui

from office_server.access import InOffice, offices_of
from office_server.dashboard import passwords, people, sign_in, words
from office_server.dashboard.bits import Text, attributed, element, icon, lead_to, link, text
from office_server.dashboard.feed import News
from office_server.dashboard.signing import COOKIE
from office_server.dashboard.state import BASE, Shared, shared
from office_server.dashboard.visit import Visit
from office_server.dashboard.words import LANGUAGES, Words
from office_server.rows import Office
from shared.errors import Forbidden, NotFound, OfficeError, Unauthenticated
from shared.ids import OfficeId
from shared.states import MemberRole

Build = Callable[[Visit], Awaitable[None]]
THEME = "semo_theme"
_ANYBODY = InOffice(MemberRole.VIEWER)


@dataclass(frozen=True)
class Page:
    """`key`: the letter that leads there after g."""

    name: str
    icon: str
    key: str
    build: Build


PAGES: list[Page] = []


def page(name: str, *, icon: str, key: str) -> Callable[[Build], Build]:
    """Makes a page of a function. Pages stand in the navigation in the order in which their modules are imported."""

    def register(build: Build) -> Build:
        made = Page(name, icon, key, build)
        PAGES.append(made)

        @ui.page(f"/{{office_id}}/{name}", response_timeout=20)
        async def show(request: Request, office_id: UUID) -> Response | None:
            return await _show(made, request, OfficeId(office_id))

        return build

    return register


@ui.page("/")
async def start(request: Request) -> Response:
    """Leads to the office, or to the first of those that the person may see."""
    try:
        caller = await people.who_is(shared().services, _signed_in(request))
        offices = await offices_of(shared().services, caller)
    except Unauthenticated:
        return RedirectResponse(sign_in.address(f"{BASE}/"), 303)
    except Forbidden:
        return RedirectResponse(sign_in.address(f"{BASE}/", "removed"), 303)
    if not offices:
        return RedirectResponse(f"{BASE}/sign-in", 303)
    return RedirectResponse(f"{BASE}/{offices[0].id}/{PAGES[0].name}", 303)


def _signed_in(request: Request) -> str:
    person = shared().signing.person(request.cookies.get(COOKIE))
    if person is None:
        raise Unauthenticated
    return person


async def _show(made: Page, request: Request, office_id: OfficeId) -> Response | None:
    here = f"{BASE}/{office_id}/{made.name}" + (f"?{request.url.query}" if request.url.query else "")
    chosen = words.chosen(request.cookies.get(words.COOKIE), request.headers.get("accept-language"))
    try:
        person = _signed_in(request)
        access = await _ANYBODY.let_in(shared().services, office_id, people.who_is(shared().services, person))
        who = await people.who_looks(shared().services, access)
        offices = await offices_of(shared().services, who.caller)
    except Unauthenticated:
        return RedirectResponse(sign_in.address(here, "expired" if COOKIE in request.cookies else ""), 303)
    except (Forbidden, NotFound):
        return RedirectResponse(f"{BASE}/", 303)
    except OfficeError as error:
        _head(shared(), chosen, chosen("frame.unavailable"))
        with element("main", "alone"):
            text("h1", chosen("frame.unavailable"))
            text("p", error.detail)
            link(chosen("frame.again"), here, "button")
        return None
    client = ui.context.client
    visit = Visit(
        shared(), person, request.cookies[COOKIE], who, access.office, chosen, client, request.query_params,
        made.name,
    )  # fmt: skip
    _head(shared(), chosen, f"{chosen(f'page.{made.name}')} · {access.office.name}")
    _theme(request)
    with element("div", "shell"):
        _rail(visit, made)
        with element("div", "stage"):
            _bar(visit, made, offices, here)
            with element("main", "main", id="main", tabindex="-1"):
                await made.build(visit)
    _keys_dialog(chosen)
    visit.begin()
    return None


def _head(parts: Shared, chosen: Words, title: str) -> None:
    ui.page_title(f"{title} · SEMO Office")
    ui.add_head_html(
        f'<link rel="stylesheet" href="{BASE}/static/office.css?v={parts.style_version}">'
        f'<script>document.documentElement.dataset.language="{chosen.language}"</script>'
        f'<script defer src="{BASE}/static/office.js?v={parts.style_version}"></script>'
    )


def _theme(request: Request) -> None:
    """As the cookie says, and then as the person chooses: the page must not fall back when it is drawn again."""
    themes = {"dark": True, "light": False}
    dark = ui.dark_mode(themes.get(request.cookies.get(THEME, "")))

    def choose(event: Any) -> None:
        dark.value = themes.get(event.args.get("theme"))

    ui.on("theme", choose)


def _rail(visit: Visit, made: Page) -> None:
    words = visit.words
    link(words("frame.skip"), "#main", "skip")
    with element("nav", "rail", aria_label=words("frame.navigation")):
        with element("a", "brand", href=visit.address(PAGES[0].name), aria_label="SEMO Office"):
            element("img", src=f"{BASE}/static/icon.svg", alt="", width=28, height=28)
            text("span", "SEMO Office", "label")
        counts: dict[str, Text] = {}
        for one in PAGES:
            place = element("a", "place", href=visit.address(one.name), data_go=one.key)
            if one is made:
                attributed(place, aria_current="page")
            with place:
                icon(one.icon)
                text("span", words(f"page.{one.name}"), "label")
                counts[one.name] = text("span", "", "count")

    def count(news: News) -> None:
        if news.picture is not None:
            waiting = len(news.picture.attention)
            counts["attention"].show(str(waiting) if waiting else "")

    visit.on_news(count)


def _bar(visit: Visit, made: Page, offices: list[Office], here: str) -> None:
    words = visit.words
    with element("header", "bar"):
        text("h1", words(f"page.{made.name}"))
        if len(offices) > 1:
            choice = ui.select(
                {str(one.id): one.name for one in offices}, value=str(visit.office.id),
                on_change=lambda event: lead_to(f"{BASE}/{event.value}/{made.name}"),
            )  # fmt: skip
            attributed(choice.props("dense outlined options-dense"), aria_label=words("frame.office")).classes("office")
        else:
            text("span", visit.office.name, "office quiet")
        _freshness(visit)
        with (
            attributed(ui.button(icon="more_horiz", color=None).props("flat dense"), aria_label=words("frame.more")),
            ui.menu(),
        ):
            text("div", words("frame.signed_in", name=visit.who.name, role=words.of("role", visit.who.role)), "who")
            ui.separator()
            for theme in ("auto", "light", "dark"):
                ui.menu_item(words(f"frame.theme_{theme}"), partial(_choose_theme, theme))
            ui.separator()
            for code, name in LANGUAGES.items():
                to = f"{BASE}/language/{code}?next={quote(here)}"
                attributed(ui.menu_item(name, partial(lead_to, to)), lang=code)
            ui.separator()
            ui.menu_item(words("frame.keys"), lambda: ui.run_javascript("window.semo.keys()"))
            if visit.who.email is not None:
                ui.menu_item(words("password.change"), partial(passwords.change, visit, visit.who.email))
            ui.menu_item(words("frame.sign_out"), lambda: ui.run_javascript("window.semo.signOut()"))


def _freshness(visit: Visit) -> None:
    """Says truly how old what is shown is. The browser counts by itself, so that it also knows when nobody answers."""
    words = visit.words
    mark = element(
        "div", "fresh", id="fresh", data_trouble="", data_live=words("fresh.live"),
        data_stale=words("fresh.stale"), data_away=words("fresh.away"),
    )  # fmt: skip

    def tell(news: News) -> None:
        said = words.of("error", news.trouble) if news.trouble else ""
        if said != mark.props["data-trouble"]:
            attributed(mark, data_trouble=said)
            mark.update()

    visit.on_news(tell)


def _choose_theme(theme: str) -> None:
    ui.run_javascript(f"window.semo.theme({theme!r})")


def _keys_dialog(words: Words) -> None:
    with element("dialog", "keys", id="keys", aria_label=words("frame.keys")):
        text("h2", words("frame.keys"))
        with element("dl"):
            for one in PAGES:
                _key(f"g {one.key}", words(f"page.{one.name}"))
            for key in ("search", "move", "open", "neighbours", "escape", "help"):
                _key(words(f"keys.{key}_key"), words(f"keys.{key}"))


def _key(key: str, meaning: str) -> None:
    with element("dt"):
        text("kbd", key)
    text("dd", meaning)
