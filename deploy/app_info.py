"""The service's identity: it stands in deploy/app-info.json and nowhere else, and is handed on from here."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class AppInfo(BaseModel):
    """``port`` is the published one, ``node`` the ten bits in every id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    name: str
    port: int
    node: int = Field(ge=0, lt=1024)


APP_INFO = AppInfo.model_validate_json(Path(__file__).with_name("app-info.json").read_bytes())
