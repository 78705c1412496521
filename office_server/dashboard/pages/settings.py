"""What is set about the office: its limits, its people, its tokens, its personas, what else to look for in output."""

from office_server.dashboard.bits import element, text
from office_server.dashboard.frame import page
from office_server.dashboard.sections.limits import JobLimits, Limits
from office_server.dashboard.sections.members import Members
from office_server.dashboard.sections.personas import Personas
from office_server.dashboard.sections.tokens import Tokens
from office_server.dashboard.visit import Visit
from office_server.routes import jobs, offices, tokens


@page("settings", icon="tune", key="e")
async def settings(visit: Visit) -> None:
    words = visit.words
    with element("div", "sections"):
        with element("section", aria_label=words("settings.limits")):
            text("h2", words("settings.limits"))
            Limits(visit, await visit.do(offices.get_office))
        with element("section", aria_label=words("settings.jobs")):
            text("h2", words("settings.jobs"))
            JobLimits(visit, await visit.do(jobs.get_job_limits))
        with element("section", aria_label=words("settings.members")):
            text("h2", words("settings.members"))
            await Members(visit).build()
        if visit.may(tokens.list_tokens):
            with element("section", aria_label=words("settings.tokens")):
                text("h2", words("settings.tokens"))
                await Tokens(visit).build()
        with element("section", aria_label=words("settings.personas")):
            text("h2", words("settings.personas"))
            await Personas(visit).build()
