"""Who is believed on the other side of a connection."""

import ssl

import pytest

from shared.tls import tls_for


@pytest.mark.parametrize("url", ["https://x.supabase.co", "HTTPS://x", "wss://x/realtime/v1", "x.supabase.co", ""])
def test_whoever_is_not_spoken_to_in_the_clear_shows_a_certificate_for_that_name(url: str):
    tls = tls_for(url)
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname
    assert tls.get_ca_certs()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8400", "HTTP://x"])
def test_where_everything_is_said_in_the_clear_no_certificate_would_be_believed(url: str):
    tls = tls_for(url)
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.get_ca_certs() == []


def test_what_was_read_once_is_read_no_more():
    assert tls_for("https://a") is tls_for("https://b")
