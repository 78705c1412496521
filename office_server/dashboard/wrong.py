"""What is wrong with what a person typed, as one of the office's errors, so that it is told like any other."""

from json import JSONDecodeError

from pydantic import ValidationError

from shared.errors import InvalidPayload


def wrong(error: ValidationError | JSONDecodeError) -> InvalidPayload:
    if isinstance(error, JSONDecodeError):
        return InvalidPayload(str(error))
    said = [(".".join(str(part) for part in one["loc"]), one["msg"]) for one in error.errors()]
    return InvalidPayload("; ".join(f"{place}: {words}" if place else words for place, words in said))
