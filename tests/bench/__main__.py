"""``make bench``: the figures of docs/benchmarks.md, on real parts, beside the bare ceilings of this machine.

``--quick`` measures fewer of each; ``--only storm,outage`` measures these parts alone; ``--grow`` doubles open tickets instead.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

import psutil
import uvloop

from tests.bench.growth import grow
from tests.bench.parts import FULL, PARTS, QUICK, Sizes, measure
from tests.bench.system import running


def main() -> None:
    asked = _asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an ordinary exit: what was started is stopped
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.2f}; others use {psutil.cpu_percent(2):.0f} % of the machine", flush=True)
    with tempfile.TemporaryDirectory(prefix="helpdesk-bench-") as folder, running(Path(folder)) as system:
        for name, process in system.processes.items():
            print(f"  {name}: process {process.pid}")
        uvloop.run(grow(system, quick=asked.quick) if asked.grow else measure(system, _sizes(asked), asked.only))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of each")
    parser.add_argument("--only", type=lambda text: frozenset(text.split(",")), default=PARTS, help=f"of {', '.join(sorted(PARTS))}")
    parser.add_argument("--crowd", type=int, help="so many tickets in the recalculation, the storm and the outage")
    parser.add_argument("--burst", type=int, help="so many tickets that eight clients open")
    parser.add_argument("--grow", action="store_true", help="what grows with the number of open tickets, and nothing else")
    asked = parser.parse_args()
    if unknown := asked.only - PARTS:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(PARTS))}")
    return asked


def _sizes(asked: argparse.Namespace) -> Sizes:
    sizes = QUICK if asked.quick else FULL
    return sizes.model_copy(update={name: size for name in ("crowd", "burst") if (size := getattr(asked, name))})


if __name__ == "__main__":
    main()
