"""What the image holds is enough for each of its roles. Docker is not here: its copies and removals are replayed on this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.image import kept, removed

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
COPIES = [line.split() for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)]
NOBODY = 65534
# Run in the copied tree: what was uninstalled can't be imported, and nothing of ours comes from elsewhere.
ROLES = """
import importlib, json, re, sys
from importlib.metadata import packages_distributions
removed, modules = set(json.loads(sys.argv[1])), sys.argv[2:]
plain = lambda name: re.sub(r"[-_.]+", "-", name).lower()
gone = {top for top, packages in packages_distributions().items() if {plain(each) for each in packages} <= removed}
class Uninstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in gone:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Uninstalled())
for module in modules:
    importlib.import_module(module)
print(json.dumps(sorted(module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None))))
"""


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """The tree that the image has as /app, which nobody may write to."""
    app = tmp_path / "app"
    for *sources, target in COPIES:
        if sources == ["requirements.lock"]:
            continue
        for source in sources:
            folder = app / target if target.endswith("/") else (app / target).parent
            folder.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder)
    before = _files(app)
    for path in [app, *app.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield app
    assert _files(app) == before, "a role wrote into the image"
    for path in [app, *app.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _files(app: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in app.rglob("*") if path.is_file()}


ROLE_MODULES = {
    "startup": ["deploy.__main__", "api.main"],
    "worker": ["deploy.__main__", "worker"],
    "command line": [f"deploy.cli.{name}" for name in ("__main__", "api", "database", "environment", "outbox", "workflow")],
    "migrate": ["deploy.__main__", "models.db.migrate", "models.db.schema"],
}


@pytest.mark.parametrize("role", ROLE_MODULES)
def test_each_role_has_all_that_it_imports_and_nothing_of_ours_from_elsewhere(role: str, image: Path) -> None:
    command = [sys.executable, "-B", "-c", ROLES, json.dumps(sorted(removed())), *ROLE_MODULES[role]]
    ended = subprocess.run(command, cwd=image, env={"PYTHONPATH": str(image)}, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    ours = [Path(path) for path in json.loads(ended.stdout) if "site-packages" not in path]
    assert not [path for path in ours if path.is_relative_to(ROOT)]
    assert [path for path in ours if path.is_relative_to(image)]


def test_a_role_starts_in_a_tree_that_it_may_not_write_to(image: Path) -> None:
    """As far as to say which settings it lacks; as an unprivileged user where the interpreter lets one in."""
    command = [sys.executable, "-m", "deploy"]
    user = NOBODY if os.getuid() == 0 and _lets_in(image) else None
    ended = subprocess.run(
        command, cwd=image, env={"RUN_MODE": "startup", "PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=120, check=False, user=user,
    )  # fmt: skip
    assert (ended.returncode, "APP_ENV_DATABASE" in ended.stderr, "Traceback" in ended.stderr) == (2, True, False), ended.stderr


def _lets_in(image: Path) -> bool:
    try:
        tried = subprocess.run([sys.executable, "-c", ""], cwd=image, user=NOBODY, capture_output=True, check=False)
    except PermissionError:
        return False
    return tried.returncode == 0


def test_what_only_development_and_the_local_system_need_is_taken_away() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split(r"[\[<>=!~ ]", each)[0] for extra in ("dev", "local") for each in extras[extra]}
    assert wanted <= removed()


def test_the_parts_of_the_image_are_the_lock_without_what_is_taken_away() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    names = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert removed() <= names, "the lock no longer holds these"
    assert set(re.findall(r"^([\w.-]+)==", kept(lock), re.MULTILINE)) == names - removed()
    assert kept(lock).count("--hash=") > len(names - removed())


def test_the_image_holds_what_production_needs_and_no_more() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    named = re.findall(r"^([\w.-]+)==", kept((ROOT / "requirements.lock").read_text()), re.MULTILINE)
    assert {canonicalize_name(name) for name in named} == needed(wanted)


def needed(wanted: list[str]) -> set[str]:
    """These distributions and all that they need, with their extras, by what is installed here."""
    found: set[tuple[str, str]] = set()
    ahead = [(each, "") for each in wanted]
    while ahead:
        text, of_extra = ahead.pop()
        each = Requirement(text)
        if each.marker and not each.marker.evaluate({"extra": of_extra}):
            continue
        for key in {(canonicalize_name(each.name), extra) for extra in ("", *each.extras)} - found:
            found.add(key)
            ahead += [(further, key[1]) for further in requires(each.name) or []]
    return {name for name, _ in found}
