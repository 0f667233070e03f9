"""The message classes as they were last announced. ``python -m tests.replay.announced`` adds what they gained."""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import models
from models.payload import Payload
from models.sla.deadlines import Deadline

FILE = Path(__file__).with_name("fields.json")
CARRIED = (Deadline,)
"""What crosses as a part of a message."""
Fields = Mapping[str, Sequence[str]]


def announced() -> dict[str, list[str]]:
    return dict(json.loads(FILE.read_text()))


def present() -> dict[str, list[str]]:
    """The fields that each class has of its own, in order, with types and defaults."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        if module.name.endswith(".messages"):
            importlib.import_module(module.name)
    classes: list[type[BaseModel]] = [*_descendants(Payload), *CARRIED]
    return {each.__name__: fields_of(each) for each in classes}


def fields_of(message: type[BaseModel]) -> list[str]:
    return [_said(name, field) for name, field in message.model_fields.items() if name in message.__annotations__]


def flaws(before: Fields, now: Fields) -> list[str]:
    """What a reader of old histories, or an older worker, would stumble over."""
    lost = [f"{name} is not there any more" for name in before.keys() - now.keys()]
    changed = [f"{name} lost, moved or changed a field" for name in before.keys() & now.keys() if not _goes_on(before[name], now[name])]
    gained = [f"{name} gained '{field}' without a default" for name in before.keys() & now.keys() for field in _needed(before, now, name)]
    return sorted(lost + changed + gained)


def _goes_on(before: Sequence[str], now: Sequence[str]) -> bool:
    return list(now[: len(before)]) == list(before)


def _needed(before: Fields, now: Fields, name: str) -> list[str]:
    return [field for field in now[name] if field not in before[name] and " = " not in field]


def _descendants(parent: type[Payload]) -> Iterator[type[Payload]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("models."):
            yield child
            yield from _descendants(child)


def _said(name: str, field: FieldInfo) -> str:
    kind = field.annotation.__name__ if isinstance(field.annotation, type) and "[" not in str(field.annotation) else str(field.annotation)
    return f"{name}: {kind}" + ("" if field.is_required() else f" = {field.get_default(call_default_factory=True, validated_data={})!r}")


if __name__ == "__main__":
    found = flaws(announced(), present()) if FILE.exists() else []
    if found:
        sys.exit("; ".join(found))
    FILE.write_text(json.dumps(present(), indent=1) + "\n")
