"""Whom a process believes that speaks TLS: read once, and only where TLS is spoken, for reading them takes its time."""

import ssl
from functools import cache

import httpx


def tls_for(url: str) -> ssl.SSLContext:
    """For all connections to `url`; one for `http:` believes nobody, as nobody there shows who they are."""
    return _believing_nobody() if url.lower().startswith("http:") else _believing_authorities()


@cache
def _believing_authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@cache
def _believing_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
