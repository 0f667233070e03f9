"""What a child shares with whoever starts it."""

import os
import sys
from pathlib import Path

from deploy.local.processes import BACKGROUND, end, launch


def test_a_child_has_a_process_group_of_its_own_in_our_session_and_its_niceness(tmp_path: Path) -> None:
    child = launch([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "child.log", niceness=BACKGROUND)
    try:
        assert os.getpgid(child.pid) == child.pid
        assert os.getsid(child.pid) == os.getsid(0)
        while os.getpriority(os.PRIO_PROCESS, child.pid) != BACKGROUND:  # the tether says it, before it becomes the command
            assert child.poll() is None
    finally:
        end(child)
