"""deploy/env.example is where an operator looks settings up: every setting has an entry, every entry a setting."""

import re
from pathlib import Path

from models.platform.settings import PREFIX, MigrationSettings, Settings, SetupSettings

EXAMPLE = Path(__file__).parents[2] / "deploy" / "env.example"


def test_every_setting_has_an_entry_and_every_entry_a_setting() -> None:
    entries = set(re.findall(rf"^({PREFIX}\w+)=", EXAMPLE.read_text(), re.MULTILINE))
    settings = {f"{PREFIX}{name.upper()}" for kind in (Settings, MigrationSettings, SetupSettings) for name in kind.model_fields}
    assert entries == settings


def test_every_default_is_shown_as_it_is() -> None:
    entries = dict(re.findall(rf"^{PREFIX}(\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        if not field.is_required() and name != "temporal_address":
            assert entries[name.upper()] == shown(field.default), name


def shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
