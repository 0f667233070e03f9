"""A worker of a release with a defect: its workflow of tickets fails at its first step. For one rehearsal."""

import asyncio

from deploy.app_info import APP_INFO
from models.platform.settings import Settings
from worker import run
from workflows import ui


def _defect(_facts: object) -> str:
    raise KeyError("a defect of this release")


if __name__ == "__main__":
    ui.card = _defect  # type: ignore[assignment]
    asyncio.run(run(Settings(), node=APP_INFO.node, code=APP_INFO.code))
