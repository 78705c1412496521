"""Secrets stay on the machine: whole or in pieces, in output and in words; and nothing else is changed."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote_client.redaction import (
    DEFAULT_PATTERNS,
    RedactedStream,
    Redaction,
    Rules,
    SecretPattern,
    secret_values,
)

VALUE = "hunter2-is-no-password"
RULES = Rules([SecretPattern.read(text) for text in DEFAULT_PATTERNS], [VALUE])
PEM = "-----BEGIN RSA PRIVATE KEY-----\r\nMIIEpAIBAAKCAQEA7bq\r\n+/x0Zq==\r\n-----END RSA PRIVATE KEY-----"
SECRETS = [
    "sk-ant-api03-" + "aB3_-" * 18,
    "ghp_" + "a1B2c3D4e5" * 4,
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefABCDEF",
    "eyJhbGciOiJIUzI1NiJ9." + "eyJyb2xlIjoiYW5vbiJ9." * 2 + "c2lnbmF0dXJl",
    "Authorization: Bearer 0123456789abcdef0123",
    "semo_" + "x" * 43,
    PEM,
    VALUE,
]
INNOCENT = [
    "make test\r\n", "\x1b[31mred\x1b[0m ", "task-force sk-", "sk-short ", "AKIA", "é漢\U0001f600", "Bearer of news. ",
    "eyJ", "-----BEGIN CERTIFICATE-----\nMIIB\n", "hunt", "hunter2", "ghp_ok\n", "a" * 200, " ", "\n",
]  # fmt: skip


def stream(pieces: list[bytes], rules: Rules = RULES) -> bytes:
    """What goes out when so many pieces come, one after the other."""
    one = RedactedStream(Redaction(rules))
    return b"".join(one.feed(piece) for piece in pieces) + one.flush()


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


TEXTS = st.lists(st.sampled_from(SECRETS + INNOCENT), min_size=1, max_size=8).map("".join)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 3000), max_size=30))
def test_in_whatever_pieces_output_comes_it_goes_out_as_if_it_came_in_one(text: str, cuts: list[int]):
    data = text.encode()
    whole = stream([data])
    assert len(whole) == len(data)
    told = stream(cut(data, cuts))
    assert len(told) == len(data)
    # Up to three bytes of a known value may be seen where they are cut off.
    for number, (seen, expected) in enumerate(zip(told, whole, strict=True)):
        assert seen == expected or _begins_a_value(data, number), (number, told, whole)


def _begins_a_value(data: bytes, at: int) -> bool:
    value = VALUE.encode()
    return any(value.startswith(data[begin : begin + len(value)]) for begin in range(max(0, at - 2), at + 1))


@pytest.mark.parametrize("secret", SECRETS)
def test_of_a_secret_only_its_public_beginning_is_seen_byte_by_byte_or_in_one(secret: str):
    data = f"before {secret} after\n".encode()
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))], cut(data, [9, 20, 40])):
        told = stream(pieces).decode()
        assert len(told) == len(data)
        assert told.startswith("before ")
        assert told.endswith(" after\n")
        hidden = secret.encode()[-12:] if secret is not PEM else b"MIIEpAIBAAKCAQEA7bq"
        assert hidden.decode() not in told
        assert "*" * 8 in told


@given(st.lists(st.sampled_from(INNOCENT), max_size=10).map(", ".join))
def test_what_is_no_secret_is_not_changed(text: str):
    text += "\n\x1b[0m"
    assert stream([text.encode()]) == text.encode()


def test_lines_stay_lines():
    told = stream([f"{PEM}\r\n".encode()]).decode()
    assert [len(line) for line in told.splitlines()] == [len(line) for line in PEM.splitlines()]
    assert re.fullmatch(r"-----BEGIN RSA PRIVATE KEY-----\r\n\*+\r\n\*+\r\n-----END RSA PRIVATE KEY-----\r\n", told)


def test_what_may_become_a_secret_is_held_and_goes_out_when_it_is_none():
    one = RedactedStream(Redaction(RULES))
    assert one.feed(b"see sk-abc") == b"see sk-"
    assert one.held_bytes == 3
    assert one.feed(b"def and so on") == b"abcdef and so on"
    assert one.feed(b"$ s") == b"$ s", "nobody waits for a letter"


def test_what_is_held_goes_out_starred_when_it_must_go():
    one = RedactedStream(Redaction(RULES))
    assert one.feed(b"sk-abcdefgh") + one.flush() == b"sk-********"
    assert one.feed(b"ijklmnopqrstuvwxyz done") == b"***************** done"[-23:].rjust(23, b"*")


def test_what_went_out_before_a_restart_is_remembered():
    one = RedactedStream(Redaction(RULES))
    one.pass_by(b"sk-abcdefghijklmnopqrstuvwx")
    assert one.feed(b"yz0123 ok") == b"****** ok"


def test_words_and_whole_answers_are_redacted_wherever_it_stands():
    secret = SECRETS[1]
    told = RULES.told({"a": [f"x {secret}", {secret: 1}], "n": 3, "none": None, "cut": f"… {secret[:20]}"})
    assert secret not in str(told)
    assert told["n"] == 3
    assert told["none"] is None
    assert told["cut"] == "… ghp_****************"
    assert RULES.told("a\x00b\ud800") == "a\ufffdb?"


def test_which_variables_are_secrets():
    ambient = {
        "A_KEY": "value-of-key",
        "GOPATH": "/home/go",
        "GIT_AUTHOR_NAME": "Ann Example",
        "MY_URL": "postgres://x",
        "TOKEN": "short",
    }
    assert set(secret_values(["A_KEY", "GOPATH", "GIT_AUTHOR_NAME", "NOT_THERE", "TOKEN"], ["MY_URL"], ambient)) == {
        "value-of-key", "postgres://x", "short",
    }  # fmt: skip
    assert Rules([], ["short"]).text("short") == "short", "what is so short would star every text"


@pytest.mark.parametrize(
    "pattern",
    ["", "[a-z]+", "ab[a-z]{3,}", "acme_", "acme_.*", "acme_(a|b)+", "acme_[a-z]{0,}", "acme_[a-z]{5,2}",
     "acme_[z-a]{3}", "acme_[a-z]{1001}", "a?cme[a-z]{3}"],
)  # fmt: skip
def test_a_pattern_is_of_one_form_that_can_be_told_from_its_beginning(pattern: str):
    with pytest.raises(ValueError, match=re.escape(repr(pattern)[:8])):
        SecretPattern.read(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "told"),
    [
        (r"acme_[A-Za-z0-9]{4,}", "acme_abcdef.", "acme_******."),
        (r"(?i)password=\S{3,}", "PassWord=geheim ok", "PassWord=****** ok"),
        (r"pin: \d{4}", "pin: 12345", "pin: ****5"),
        (r"card \d{4,6}", "card 12345678", "card ******78"),
        (r"v1\.[a-z]+", "v1.abc v1xabc", "v1.*** v1xabc"),
    ],
)
def test_an_owners_own_pattern(pattern: str, text: str, told: str):
    assert Rules([SecretPattern.read(pattern)]).text(text) == told


def test_a_flood_costs_little():
    line = b"\x1b[32m" + b"compiling module number 4711 of the whole thing \xe2\x96\x88" * 4 + b"\x1b[0m\r\n"
    data = line * (4_000_000 // len(line)) + b"key sk-" + b"a1" * 40 + b"\n"
    one = RedactedStream(Redaction(RULES))
    began = time.process_time()
    for place in range(0, len(data), 65_536):
        one.feed(data[place : place + 65_536])
    rate = len(data) / (time.process_time() - began) / 1e6
    assert rate > 30, f"{rate:.0f} MB/s"
