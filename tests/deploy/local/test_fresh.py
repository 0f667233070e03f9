import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.fresh import forget
from deploy.local.layout import CannotStartError, owning

ROOT = Path(__file__).parents[3]


def test_a_second_system_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with owning(tmp_path), pytest.raises(CannotStartError, match="already running"), owning(tmp_path):
        pass
    with owning(tmp_path):
        pass


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
