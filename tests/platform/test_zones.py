"""Zones come from the tzdata wheel: each composition root sees to it before it does anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.test_settings import WHOLE

ROOT = Path(__file__).parents[2]
BEGUN = """
import asyncio, zoneinfo
from models.platform.settings import Settings
from {module} import {root}

early = zoneinfo.ZoneInfo("Europe/Berlin")

async def begin():
    begun = asyncio.create_task({root}(Settings(), node=1, code="SVC-00120"))
    await asyncio.sleep(0)
    print(zoneinfo.TZPATH, zoneinfo.ZoneInfo("Europe/Berlin") is early)
    begun.cancel()

asyncio.run(begin())
"""


@pytest.mark.parametrize(("module", "root"), [("worker", "run"), ("api.main", "serve")])
def test_a_composition_root_uses_the_packaged_zones_also_for_those_loaded_before(module: str, root: str) -> None:
    environment = {**os.environ, **WHOLE, "PYTHONTZPATH": "/usr/share/zoneinfo"}
    code = BEGUN.format(module=module, root=root)
    printed = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "() False" in printed.splitlines()


def test_no_pure_module_changes_where_zones_come_from() -> None:
    code = "import zoneinfo; before = zoneinfo.TZPATH; import models.sla.calendar; print(zoneinfo.TZPATH == before)"
    environment = {**os.environ, "PYTHONTZPATH": "/usr/share/zoneinfo"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed == "True\n"
