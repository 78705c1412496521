"""What waits for a person, answered in place; for a new office, the next step instead of an empty list."""

from office_server.dashboard import attending, detail, first_steps
from office_server.dashboard.bits import element, empty
from office_server.dashboard.feed import News
from office_server.dashboard.frame import page
from office_server.dashboard.visit import Visit


@page("attention", icon="inbox", key="a")
async def attention(visit: Visit) -> None:
    box = element("div", "inbox")
    opened = detail.Detail(visit)
    inbox = attending.Inbox(visit, box, opened.open)
    steps = first_steps.FirstSteps(visit)
    nothing = empty(visit.words("attention.nothing"), visit.words("attention.nothing_hint"))

    def show(news: News) -> None:
        if news.picture is None or not news.new_picture:
            return
        inbox.show(news.picture)
        visit.wanted = inbox.wanted | opened.wanted
        steps.show(news.picture)
        nothing.set_visibility(not news.picture.attention and not steps.wanted)

    visit.on_news(show)
    await opened.as_asked()
