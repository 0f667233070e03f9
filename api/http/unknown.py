"""A field that a body does not have: what is told about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from models.errors import MAX_LISTED


def named(errors: Sequence[Any], annotation: Any) -> list[Any]:
    """The same errors. One about an unknown field says which fields there are, or by which verb it changes: its model's ``INSTEAD``."""
    model = next(_models(annotation), None)
    if model is None or not any(_is_unknown(each) for each in errors[:MAX_LISTED]):
        return list(errors)
    fields = ", ".join(field.alias or name for name, field in model.model_fields.items())
    known = f"There is no such field: leave it out, or correct its name. The fields are: {fields}."
    instead: Mapping[str, str] = getattr(model, "INSTEAD", {})
    told = [each | {"msg": instead.get(each["loc"][-1], known)} if _is_unknown(each) else each for each in errors[:MAX_LISTED]]
    return [*told, *errors[MAX_LISTED:]]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Also of ``Model | None``."""
    return (each for each in (annotation, *get_args(annotation)) if isinstance(each, type) and issubclass(each, BaseModel))


def _is_unknown(error: Mapping[str, Any]) -> bool:
    return error["type"] == "extra_forbidden" and len(error["loc"]) == len(("body", "field"))
