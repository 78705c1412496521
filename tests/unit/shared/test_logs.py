"""Logs are for a person where a person looks, for machines elsewhere, and never show a secret or drive a terminal."""

import errno
import io
import json
import re
from collections.abc import Iterator

import pytest
import structlog

from shared.logs import LogFormat, configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def logged(stream: io.StringIO, log_format: LogFormat = "auto") -> str:
    configure(stream, log_format)
    structlog.get_logger().info("registered", epoch=3, office="acme/web")
    return stream.getvalue()


@pytest.mark.parametrize(("stream", "log_format"), [(io.StringIO(), "auto"), (Terminal(), "json")])
def test_machines_get_one_object_a_line(stream: io.StringIO, log_format: LogFormat):
    told = json.loads(logged(stream, log_format))
    assert (told["event"], told["level"], told["epoch"], told["office"]) == ("registered", "info", 3, "acme/web")
    assert told["timestamp"].endswith("Z")


@pytest.mark.parametrize(("stream", "log_format"), [(Terminal(), "auto"), (io.StringIO(), "text")])
def test_a_person_gets_a_line_that_reads(stream: io.StringIO, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    line = logged(stream, log_format)
    assert "\x1b" not in line
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info +\] registered +epoch=3 office=acme/web\n", line)


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in logged(Terminal())
    assert "\x1b[" not in logged(io.StringIO(), "text")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_exception_is_shown_without_the_variables_that_were_there(log_format: LogFormat):
    def fails() -> None:
        service_key = "sb-secret-" + "0123456789"
        assert service_key.startswith("sb-")
        raise ValueError("it broke")

    stream = Terminal()
    configure(stream, log_format)
    try:
        fails()
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "it broke" in stream.getvalue()
    assert "in fails" in stream.getvalue()
    assert "0123456789" not in stream.getvalue().replace('"sb-secret-" + "0123456789"', "")


def test_what_an_agent_said_cannot_drive_the_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    configure(stream)
    structlog.get_logger().warning("no luck", error="a\x1b[2J\nb")
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_what_is_below_the_level_is_not_told():
    stream = io.StringIO()
    configure(stream, level=30)
    structlog.get_logger().info("chatter")
    assert stream.getvalue() == ""


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    configure(FullDisk())
    structlog.get_logger().error("the disk is full")
