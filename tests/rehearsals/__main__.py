"""`make rehearse`: all alerts, one after the other, on one stage; or those that are named. What happened is printed, for the runbooks."""

import sys
import tempfile
import traceback
from pathlib import Path

from tests.rehearsals.desk import seed
from tests.rehearsals.faults import FAULTS
from tests.rehearsals.rehearse import Outcome, rehearse
from tests.rehearsals.stage import on_stage


def main(alerts: list[str]) -> int:
    failed = []
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder, on_stage(Path(folder)) as stage:
        seed(stage)
        for alert in alerts or FAULTS:
            try:
                _tell(rehearse(stage, alert))
            except AssertionError:
                failed.append(alert)
                print(f"# {alert}: FAILED\n{traceback.format_exc()}", flush=True)
    print(f"{len(alerts or FAULTS) - len(failed)} alerts rehearsed; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _tell(outcome: Outcome) -> None:
    print(f"# {outcome.alert}: {outcome.fault}\n\nIt fired after {outcome.fired:.0f} s.\n\n```\n{outcome.typed.rstrip()}\n```\n")
    print(f"{outcome.repair} It was over {outcome.over:.0f} s later.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
