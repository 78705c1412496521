"""What an office may look for in its agents' output besides what every client knows: the shape, and what it may hold.

Its regular expressions run on other people's machines, so they are RE2's, which no text makes slow.
"""

from typing import Annotated, Any, Literal, Self, cast

import re2  # pyright: ignore[reportMissingTypeStubs]  it has none
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MOST_PATTERNS = 50
_LONGEST = 500

Word = Annotated[str, StringConstraints(min_length=2, max_length=_LONGEST, pattern=r"^[!-~ ]+$")]


class OfficePattern(BaseModel):
    """One thing to look for.

    `literal` is found as it stands, whatever a terminal put between its characters; `regex` instead of it in RE2's
    syntax, its group "value", else the whole match, being what is found. `anchors`: words without spaces, one of which
    is in every match of the regex; they keep the search fast. A marker is a literal; an error, which is looked for in
    the agent's last words alone, needs no anchors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = Field(examples=["needs_review"])
    kind: Literal["marker", "pull_request", "commit", "error"]
    literal: Word | None = Field(default=None, examples=["[ACME:REVIEW]"])
    regex: Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST)] | None = None
    anchors: list[Word] = Field(default_factory=list[str], max_length=20)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.name == "done":
            raise ValueError("what ends every turn is no office's to change: choose another name than done")
        if (self.literal is None) == (self.regex is None):
            raise ValueError("either a literal or a regex is needed")
        if self.kind == "marker" and self.literal is None:
            raise ValueError("a marker is a literal")
        if self.regex is not None:
            if self.kind != "error" and not self.anchors:
                raise ValueError("anchors are needed: words of which one is in every match")
            if any(" " in word for word in self.anchors):
                raise ValueError("an anchor has no spaces")
            if safe_regex(self.regex).search("") is not None:
                raise ValueError("the regex matches where there is nothing")
        return self


def safe_regex(regex: str) -> Any:
    """Has what `re.Pattern` has of search, finditer and findall.

    Raises:
        ValueError: RE2 does not take it.
    """
    options: Any = cast(Any, re2).Options()
    options.log_errors = False
    try:
        return cast(Any, re2).compile(regex, options)
    except cast(Any, re2).error as error:
        raise ValueError(f"the regex is none: {error}") from error
