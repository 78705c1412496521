"""What can be set about an office server: by environment variables, as Supabase and we name them; nothing else."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.logs import LogFormat


def _origins(text: str) -> str:
    """Origins, separated by commas; what is no origin is refused, so that a typing error opens nothing."""
    for origin in origins_in(text):
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin:
            raise ValueError(f'"{origin}" is no origin; one looks like https://office.example or http://localhost:5173')
    return text


def origins_in(text: str) -> list[str]:
    return [origin.strip() for origin in text.split(",") if origin.strip()]


class OfficeSettings(BaseSettings):
    """Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="SEMO_OFFICE_", env_file=".env", frozen=True, extra="ignore", populate_by_name=True
    )

    supabase_url: HttpUrl = Field(validation_alias="SUPABASE_URL")
    service_role_key: SecretStr = Field(validation_alias="SUPABASE_SERVICE_ROLE_KEY")
    publishable_key: str = Field(validation_alias="SUPABASE_PUBLISHABLE_KEY")
    """Handed to clients that enrol; the service key never leaves the server."""

    jwt_secret: SecretStr | None = Field(default=None, validation_alias="SUPABASE_JWT_SECRET")
    """With it, tokens of people that are signed by a shared secret (HS256) are taken, too."""
    jwt_issuer: str | None = Field(default=None, validation_alias="SUPABASE_JWT_ISSUER")
    """None: {SUPABASE_URL}/auth/v1, as everywhere but behind an address of one's own."""
    jwt_audience: str = "authenticated"

    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=0, le=65535)
    """0 takes a free one."""

    public_url: HttpUrl | None = None
    """Where machines reach this server, for the links that invite them; without: as the admin who invites does."""

    cors_origins: Annotated[str, AfterValidator(_origins)] = ""
    """Web pages of which other origins may use the API from a browser, separated by commas; none unless it is said."""

    realtime: bool = True
    """Off: results are found by polling alone."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """How often a waited-for result is looked for when no hint comes."""
    schedule_poll_seconds: float = Field(default=1.0, gt=0)
    """How often jobs that may start are looked for when no hint comes."""
    output_poll_seconds: float = Field(default=0.2, gt=0)
    """How often new output is looked for while somebody waits for it."""

    heartbeat_seconds: float = Field(default=15.0, gt=0)
    """How often a stream of events shows that it lives, and looks whether its token does."""

    backend_timeout_seconds: float = Field(default=10.0, gt=0)
    body_limit_bytes: int = Field(default=2_097_152, ge=1024)
    requests_per_minute: int = Field(default=6000, ge=1)
    """Requests that one token or person may make with this server."""
    enroll_per_minute: int = Field(default=20, ge=1)
    """Tries at enrolling that one address may make with this server."""

    maintenance_seconds: float = Field(default=3.0, gt=0)
    """How often personas are rendered, and commands expired and rescued."""
    prune_seconds: float = Field(default=600.0, gt=0)
    shutdown_seconds: int = Field(default=10, ge=1)
    """How long requests may still take once the server was asked to stop."""

    dashboard: bool = True
    """The web pages at /dashboard, where the extra `dashboard` is installed."""
    sign_in_hours: float = Field(default=12.0, gt=0)
    """How long a browser stays signed in."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: LogFormat = "auto"
    """auto: text at a terminal, JSON elsewhere."""
