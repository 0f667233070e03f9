"""Hostile requests at random beside honest ones: nothing fails, nothing grows, and afterwards every invariant holds.

``make prove`` runs it longer (``HOSTILE_SECONDS``) and prints how the honest were served.
"""

import os

import psutil
import pytest

from tests.http.hostile_mix import Mix
from tests.support.api_process import api_process
from tests.support.auditor import audit
from tests.support.isolated import Isolated, still_desk, worker_process

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "4"))
SEED = int(os.environ.get("HOSTILE_SEED", "11"))
MEGABYTES = 30


@pytest.mark.timeout(180 + 2 * SECONDS)
async def test_hostile_requests_hurt_nobody_else(isolated: Isolated) -> None:
    async with still_desk(isolated) as desk:
        acme, globex = await desk.merchant("acme"), await desk.merchant("globex")
        async with worker_process(isolated, "deploy"), api_process(isolated) as (process, port):
            outcome = await Mix(psutil.Process(process.pid), port, acme, globex, SEED).run(SECONDS)
            print(f"\nhostile mix, {SECONDS:.0f} s, seed {SEED}: {outcome}")  # noqa: T201 - for make prove
            assert not outcome.failures, outcome.failures[:10]
            assert outcome.grown < MEGABYTES, outcome
            await audit(desk, acme)
            await audit(desk, globex)
