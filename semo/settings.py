"""Which office the command line means when no data folder is named: by environment variables or a .env file."""

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CommandSettings(BaseSettings):
    """All three name an office elsewhere; none of them means the one of the data folder."""

    model_config = SettingsConfigDict(env_prefix="SEMO_", env_file=".env", extra="ignore", frozen=True)

    office_url: HttpUrl | None = Field(default=None, description="where the office server is")
    office_id: str | None = Field(default=None, description="which office there")
    api_token: SecretStr | None = Field(default=None, description="a token of that office")
