"""What a child shares with the process that starts it, and that it does not outlive it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import BACKGROUND, end, launch

ROOT = Path(__file__).parents[3]
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = """
import sys
from pathlib import Path
from deploy.local.processes import launch
print(launch([sys.executable, "-c", "import time; time.sleep(60)"], log=Path(sys.argv[1])).pid, flush=True)
sys.stdin.read()
"""


def test_a_child_has_a_process_group_of_its_own_in_our_session_and_its_niceness(tmp_path: Path) -> None:
    child = launch(SLEEPER, log=tmp_path / "child.log", niceness=BACKGROUND)
    try:
        assert os.getpgid(child.pid) == child.pid
        assert os.getsid(child.pid) == os.getsid(0)
        while os.getpriority(os.PRIO_PROCESS, child.pid) != BACKGROUND:  # `nice` says it, before it becomes the command
            assert child.poll() is None
    finally:
        end(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    child.wait(10)
