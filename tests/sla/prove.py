"""``make prove``: 100,000 random histories on the code under test and on the oracle, in two processes.

``--seed`` repeats a run; every run without it plays new histories.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from traceback import format_exc

from hypothesis import HealthCheck, given, seed, settings

from tests.sla.sla_histories import History, histories
from tests.sla.sla_proof import prove

CHUNK = 2000
PROCESSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sla.prove", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    wanted = parser.parse_args()
    started, played = time.monotonic(), 0
    print(f"seed {wanted.seed}", flush=True)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("forkserver")) as pool:
        chunks = [pool.submit(play, wanted.seed + number) for number in range(-(-wanted.histories // CHUNK))]
        for chunk in as_completed(chunks):
            count, failure = chunk.result()
            played += count
            print(f"{played:,} histories in {time.monotonic() - started:.0f} s", flush=True)
            if failure:
                pool.shutdown(cancel_futures=True)
                sys.exit(failure)


def play(chunk_seed: int) -> tuple[int, str | None]:
    """How many histories were played, and the traceback of the smallest one on which the two disagree."""
    played = 0

    @seed(chunk_seed)
    @given(history=histories)
    @settings(max_examples=CHUNK, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))
    def agree(history: History) -> None:
        nonlocal played
        played += 1
        prove(history)

    try:
        agree()
    except Exception:  # noqa: BLE001 - any failure is reported by the caller, while the other process goes on
        return played, format_exc()
    return played, None


if __name__ == "__main__":
    main()
