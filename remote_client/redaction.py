"""Keeps secrets on this machine: what looks like one, and what is one, is starred before anything goes to an office.

Byte for byte, so that offsets stay. Output is given on as it comes: what may be the beginning of a secret is held until
it is one or is not. What a program paints in pieces, over several lines or with its cursor, is several texts here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import re2  # pyright: ignore[reportMissingTypeStubs]  it has none

MARK = "*"
LONGEST_BYTES = 8192
"""Of a secret longer than this the rest may be seen."""

_BACK_BYTES = 64
"""What is looked at again of what was given on: longer than the beginning of any pattern."""

MOST_LEAST = 200
MOST_SEARCHES = 50
NOTHING = r"[^\x00-\xff]"
LEAST_VALUE_BYTES = 8
_VALUE_BEGINS = 4
"""So many bytes of a known value are taken for its beginning; fewer, cut off just there, may be seen."""

SECRET_NAMES = re.compile(r"(?:^|_|api)keys?(?:_|$)|token|secret|passw|credential|(?:^|_)auth(?:_|$)", re.IGNORECASE)
"""Variables with such a name hold secrets, as far as agents get them."""

_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_STARS = bytes(byte if byte in b"\r\n" else ord(MARK) for byte in range(256))
_FORM = re.compile(
    r"(?P<flag>\(\?i\))?(?P<edge>\\b)?"
    r"(?P<begins>(?:(?:[\w :/=@,;<>\"'-]|\\[^\w\s])(?![*+?{])){3,60}?)"
    r"(?P<then>\[\^?\]?(?:\\.|[^\]\\])+\]|\\[wdsSWD]|\.)"
    r"(?:\{(?P<least>\d{1,4})(?P<open>,(?P<most>\d{1,4})?)?\}|(?P<some>\+))"
)

DEFAULT_PATTERNS = (
    r"\bsk-[A-Za-z0-9_-]{20,}",  # Anthropic, OpenAI and others
    *(rf"\b{kind}_{mode}_[A-Za-z0-9]{{16,}}" for kind in ("sk", "rk", "pk") for mode in ("live", "test")),  # Stripe
    *(rf"\bgh{kind}_[A-Za-z0-9]{{30,}}" for kind in "pousr"),  # GitHub
    r"\bgithub_pat_[A-Za-z0-9_]{22,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",  # GitLab
    r"\bAKIA[0-9A-Z]{16}",  # Amazon
    r"\bASIA[0-9A-Z]{16}",
    r"\bAIza[A-Za-z0-9_-]{35}",  # Google
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    *(rf"\bxox{kind}-[A-Za-z0-9-]{{10,}}" for kind in "abeprs"),  # Slack
    r"\bxapp-[A-Za-z0-9-]{10,}",
    r"\bnpm_[A-Za-z0-9]{36}",
    r"\bpypi-[A-Za-z0-9_-]{50,}",
    r"\bhf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"\bsbp_[a-z0-9]{40}",  # Supabase
    r"\bsb_secret_[A-Za-z0-9_-]{20,}",
    r"\bsemo_[A-Za-z0-9_-]{40,}",  # an office's own
    r"\beyJ[A-Za-z0-9_.-]{40,}",  # JSON web tokens
    r"(?i)\bbearer [A-Za-z0-9._~+/=-]{20,}",
    *(
        rf"-----BEGIN {kind}PRIVATE KEY-----[\sA-Za-z0-9+/=\\]+"
        for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ")
    ),
)


_re2 = cast(Any, re2)


def _compiled(expression: str) -> Any:
    options = _re2.Options()
    options.encoding = _re2.Options.Encoding.LATIN1
    options.log_errors = False
    return _re2.compile(expression.encode("latin-1"), options)


@dataclass(frozen=True)
class _Span:
    """A secret from `begin` to `end`, of which what precedes `body` stays readable; `end` None: it may become one."""

    begin: int
    body: int
    end: int | None


@dataclass(frozen=True)
class SecretPattern:
    """A plain beginning, which stays readable, and characters of one kind, which are starred.

    `edge`: no letter, digit or _ may precede it. `run` and `part`: what follows, whole, or cut off by the end.
    `screen` finds quickly whether there is any.
    """

    begins: bytes
    edge: bool
    any_case: bool
    run: re.Pattern[bytes]
    part: re.Pattern[bytes]
    screen: Any

    @classmethod
    def read(cls, text: str) -> "SecretPattern":
        """
        Raises:
            ValueError: it is not of that form.
        """
        found = _FORM.fullmatch(text)
        if found is None or not text.isascii():
            raise ValueError(
                f"{text!r} is no pattern of a secret: it is a beginning of at least three plain characters, then one"
                " class of characters and how many of them, such as acme_[A-Za-z0-9]{24,}"
            )
        least = 1 if found["some"] else int(found["least"])
        most = "" if found["some"] else found["most"] or ("" if found["open"] else str(least))
        if not 1 <= least <= MOST_LEAST or (most and not least <= int(most) <= LONGEST_BYTES):
            raise ValueError(f"{text!r}: a pattern asks for 1 to {MOST_LEAST} characters after its beginning")
        any_case = found["flag"] is not None
        flags = re.IGNORECASE if any_case else re.NOFLAG
        try:
            run = re.compile(f"{found['then']}{{{least},{most}}}".encode(), flags)
            part = re.compile(f"{found['then']}{{0,{least - 1}}}\\Z".encode(), flags)
            screen = _compiled(f"{found['flag'] or ''}{found['begins']}{found['then']}{{{least},{most}}}")
        except (re.error, _re2.error) as error:
            raise ValueError(f"{text!r}: {error}") from error
        begins = re.sub(r"\\(.)", r"\1", found["begins"]).encode()
        return cls(begins.lower() if any_case else begins, found["edge"] is not None, any_case, run, part, screen)

    @property
    def anchor(self) -> str:
        """An expression that is found wherever this is."""
        return f"{'(?i)' if self.any_case else ''}{_re2.escape(self.begins.decode())}"

    def spans(self, data: bytes, lowered: bytes, preceded: bool) -> Iterator[_Span]:
        """`preceded`: what came before the first byte is not known, and may belong to the same word."""
        where = lowered if self.any_case else data
        if self.begins not in where:
            return
        first = self.screen.search(data)
        near_end = max(0, len(data) - len(self.begins) - MOST_LEAST)
        begin = where.find(self.begins, near_end if first is None else min(first.start(), near_end))
        while begin >= 0:
            go_on_at = body = begin + len(self.begins)
            if not self.edge or (data[begin - 1] not in _WORD if begin else not preceded):
                match = self.run.match(data, body)
                if match is not None:
                    go_on_at = match.end()
                    yield _Span(begin, body, go_on_at)
                elif self.part.match(data, body) is not None:
                    yield _Span(begin, body, None)
            begin = where.find(self.begins, go_on_at)


@dataclass(frozen=True)
class _Found:
    """What there is in some bytes: where to star, where what is not over begins, from where on it is not yet known."""

    stars: list[tuple[int, int]]
    open_from: int
    known_until: int


class Rules:
    """What is a secret: patterns, and known values."""

    def __init__(self, patterns: Sequence[SecretPattern] = (), values: Iterable[str] = ()) -> None:
        self._patterns = patterns
        encoded = {value.encode(errors="surrogateescape") for value in values}
        self._values = sorted((one for one in encoded if len(one) >= LEAST_VALUE_BYTES), key=len, reverse=True)
        self._begins = [one.begins for one in patterns]
        self._anchors = [one.anchor for one in patterns]
        self._of_values = "|".join(_re2.escape(value[:_VALUE_BEGINS].decode("latin-1")) for value in self._values)
        self._searches: dict[frozenset[int], Any] = {}
        self._first = self._search(frozenset(), values_found=False)

    def look(self, data: bytes, preceded: bool = False) -> _Found | None:
        """None: nothing in it could ever be a secret, or the beginning of one. `preceded`: it begins in the midst."""
        if self._first.search(data) is None:
            return None
        present, values = self._present(data)
        end = len(data)
        stars: list[tuple[int, int]] = []
        open_from = known_until = end
        lowered = data.lower()
        for number in present:
            for span in self._patterns[number].spans(data, lowered, preceded):
                if span.end is not None:
                    stars.append((span.body, span.end))
                if span.end in (None, end):
                    open_from = min(open_from, span.begin)
                if span.end is None:
                    known_until = min(known_until, span.body)
        for value in self._values if values else ():
            begin = data.find(value)
            while begin >= 0:
                stars.append((begin, begin + len(value)))
                begin = data.find(value, begin + len(value))
            part_at = _part_of(value, data)
            open_from, known_until = min(open_from, part_at), min(known_until, part_at)
        return _Found(stars, open_from, known_until)

    def _present(self, data: bytes) -> tuple[list[int], bool]:
        """The patterns whose beginning is in `data`, and whether that of any value is."""
        found: set[int] = set()
        values = False
        while (match := self._search(frozenset(found), values).search(data)) is not None:
            said: bytes = match.group()
            new = {n for n, begins in enumerate(self._begins) if begins in (said, said.lower())} - found
            if not new and values:
                break
            found |= new
            values = values or not new
        return sorted(found), values

    def _search(self, without: frozenset[int], values_found: bool) -> Any:
        """Of all beginnings but those that were found already."""
        key = without | ({-1} if values_found else frozenset[int]())
        if key not in self._searches:
            sought = [f"(?:{one})" for number, one in enumerate(self._anchors) if number not in without]
            sought += [f"({self._of_values})"] if self._of_values and not values_found else []
            if len(self._searches) >= MOST_SEARCHES:
                self._searches.clear()
            self._searches[key] = _compiled("|".join(sought) or NOTHING)
        return self._searches[key]

    def bytes(self, data: bytes) -> bytes:
        """`data` with every secret starred; also what, at its end, may be the first part of one."""
        found = self.look(data)
        if found is None:
            return data
        return _starred(data, 0, len(data), [*found.stars, (found.known_until, len(data))])

    def text(self, text: str) -> str:
        data = text.encode(errors="replace")
        if self.look(data) is None and "\x00" not in text:
            return text if text.isascii() else data.decode()
        return self.bytes(data).decode(errors="replace").replace("\x00", "\ufffd")

    def told(self, value: Any) -> Any:
        """The same for whatever goes as JSON; nothing in it that a database takes for no text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            pairs = cast(dict[Any, Any], value).items()
            return {self.text(key) if isinstance(key, str) else key: self.told(inner) for key, inner in pairs}
        if isinstance(value, list | tuple):
            return [self.told(inner) for inner in cast(list[Any], value)]
        return value


def _part_of(value: bytes, data: bytes) -> int:
    """Where, at the end of `data`, a beginning of `value` begins; else its end."""
    begin = data.find(value[:_VALUE_BEGINS], max(0, len(data) - len(value) + 1))
    while begin >= 0 and not value.startswith(data[begin:]):
        begin = data.find(value[:_VALUE_BEGINS], begin + 1)
    return begin if begin >= 0 else len(data)


def _starred(data: bytes, begin: int, end: int, stars: Iterable[tuple[int, int]]) -> bytes:
    """`data[begin:end]`, starred where `stars` says so."""
    shown = bytearray(data[begin:end])
    for start, stop in stars:
        first, last = max(start - begin, 0), min(stop - begin, len(shown))
        if first < last:
            shown[first:last] = shown[first:last].translate(_STARS)
    return bytes(shown)


def secret_values(names: Iterable[str], kept: Iterable[str], ambient: Mapping[str, str]) -> Iterator[str]:
    """Of the variables that agents get by `names`, those that are secret by what they are called; and those `kept`."""
    wanted = {*kept, *(name for name in names if SECRET_NAMES.search(name))}
    return (ambient[name] for name in wanted if name in ambient)


class Redaction:
    """The rules that hold now. Whoever asks it, asks each time."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()

    def told(self, value: Any) -> Any:
        return self.rules.told(value)

    def text(self, text: str) -> str:
        return self.rules.text(text)


class RedactedStream:
    """One terminal's output on its way out, piece by piece."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._raw = b""
        """The last of what came; of it, `held_bytes` were not given on."""
        self._preceded = False
        self.held_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """What may be given on now: what was held, if it is known by now what it is, and the new."""
        raw = self._raw + data
        begin = len(self._raw) - self.held_bytes
        found = self._redaction.rules.look(raw, self._preceded)
        if found is None:
            self._keep(raw, len(raw), len(raw))
            return raw[begin:]
        until = max(begin, found.known_until)
        self._keep(raw, found.open_from, until)
        return _starred(raw, begin, until, found.stars)

    def flush(self) -> bytes:
        """What is held, starred: it may be the first part of a secret."""
        if not self.held_bytes:
            return b""
        held = self._raw[-self.held_bytes :]
        self.held_bytes = 0
        return held.translate(_STARS)

    def pass_by(self, data: bytes) -> None:
        """What somebody else has given on; what comes next may go on with it."""
        self.feed(data)
        self.held_bytes = 0

    def _keep(self, raw: bytes, open_from: int, given: int) -> None:
        keep_from = min(open_from, given, max(0, len(raw) - _BACK_BYTES))
        if given - keep_from > LONGEST_BYTES:
            keep_from = min(given, len(raw) - _BACK_BYTES)
        keep_from = max(0, keep_from - 1)  # whether something precedes it
        self._preceded = self._preceded or keep_from > 0
        self._raw = raw[keep_from:]
        self.held_bytes = len(raw) - given
