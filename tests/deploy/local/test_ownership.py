import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.fresh import forget
from deploy.local.layout import CannotStartError
from deploy.local.ownership import end_leftovers, owning, remember

ROOT = Path(__file__).parents[3]
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with owning(tmp_path), pytest.raises(CannotStartError, match="already running"), owning(tmp_path):
        pass
    with owning(tmp_path):
        pass


def test_a_leftover_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as left:
        remember(tmp_path, "api", left.pid)
        end_leftovers(tmp_path)
        assert not psutil.pid_exists(left.pid)
    end_leftovers(tmp_path)


def test_a_stranger_that_has_a_leftovers_number_is_left_alone(tmp_path: Path) -> None:
    begun = psutil.Process().create_time() - 60
    (tmp_path / "processes.json").write_text(f'{{"api": [{os.getpid()}, {begun}]}}')
    end_leftovers(tmp_path)


def test_a_list_cut_off_in_mid_writing_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "processes.json").write_text('{"api": [1')
    end_leftovers(tmp_path)


def test_forgetting_leaves_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "mail").mkdir()
    forget(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_make_fresh_refuses_while_the_system_runs(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    with owning(tmp_path):
        ended = subprocess.run(
            [sys.executable, "-m", "deploy.local.fresh"],
            env={"LOCAL_VAR": str(tmp_path)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert "already running" in ended.stderr
    assert (tmp_path / "mail").exists()
