"""The settings of the remote client, read from SEMO_CLIENT_… variables. What agents may do is in `policy`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.logs import LogFormat


class ClientSettings(BaseSettings):
    """Where the client keeps its things and how often it does what. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="SEMO_CLIENT_", frozen=True)

    state_dir: Path = Field(default=Path("~/.local/share/semo/client"), description="credentials and journal")
    policy_file: Path = Field(default=Path("~/.config/semo/policy.toml"), description="what may run on this machine")
    realtime: bool = Field(default=True, description="false: never listen for hints, only poll")
    poll_seconds: float = Field(default=3.0, gt=0, description="how often to look for commands without a hint")
    quiet_seconds: float = Field(
        default=10.0, gt=0, description="how long nothing may be heard before it is proven that hints still flow"
    )
    heartbeat_seconds: float = Field(default=10.0, gt=0, le=10, description="how often to say that this client lives")
    lease_seconds: int = Field(default=30, ge=3, description="how long a claim holds unless it is renewed")
    claim_limit: int = Field(default=10, ge=1, le=100, description="commands taken with one claim")
    uplink_seconds: float = Field(default=0.15, gt=0, description="how long output is gathered before it is sent")
    uplink_batch_bytes: int = Field(default=262_144, ge=4096, description="most output sent at once")
    uplink_memory_bytes: int = Field(
        default=8_388_608, ge=65_536, description="output kept in memory while the office is away"
    )
    request_timeout_seconds: float = Field(default=10.0, gt=0, description="how long one request to Supabase may take")
    terminal_keep_bytes: int = Field(
        default=67_108_864, ge=65_536, description="output of each terminal that is kept on disk"
    )
    host_idle_seconds: float = Field(
        default=60.0, gt=0, description="how long the session host stays without a terminal and a client"
    )
    host_alone_seconds: float = Field(
        default=43_200.0, gt=0, description="how long terminals go on while no client is there"
    )
    sessions_at_stop: Literal["keep", "end"] = Field(
        default="keep",
        description="whether terminals live on when the client stops, for its next start",
    )
    return_seconds: int = Field(
        default=300, ge=30, description="how long the office waits for running prompts of a client that was stopped so"
    )
    forecast_seconds: float = Field(
        default=5.0, ge=0, description="how often to look whether live branches would conflict; 0: never"
    )
    stop_seconds: float = Field(default=10.0, gt=0, description="how long a graceful stop may take")
    log_format: LogFormat = Field(default="auto", description="auto: text at a terminal, JSON elsewhere")

    @property
    def state(self) -> Path:
        return self.state_dir.expanduser()

    @property
    def policy(self) -> Path:
        return self.policy_file.expanduser()
