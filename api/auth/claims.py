"""What a token says about the one who asks, within bounds."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from models.people.roles import Role

MAX_MERCHANTS: Final = 1_000
_MAX_ROLES: Final = 100
_ID: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_ROLES: Final = frozenset(Role)
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Every(StrEnum):
    """Stands for all merchants there are; only an operator's token may say it."""

    MERCHANT = "*"


def _printable(text: str) -> str:
    # Lone surrogates (Cs) come through JSON and break the database's driver; controls and line separators break logs and headers.
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise ValueError("a control character")
    return text


def _id(value: object) -> int:
    number = int(value) if isinstance(value, str) and _ID.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
        raise ValueError("no id")
    return number


def _ids(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) > MAX_MERCHANTS:
        raise ValueError("no list of ids")
    return tuple(dict.fromkeys(_id(each) for each in value))


def _merchants(value: object) -> object:
    if value is Every.MERCHANT or value == ["*"]:
        return Every.MERCHANT
    return _ids(value)


def _known_roles(value: object) -> object:
    if isinstance(value, frozenset):
        return value
    if not isinstance(value, list) or len(value) > _MAX_ROLES:
        raise ValueError("no list of roles")
    return frozenset(Role(each) for each in value if isinstance(each, str) and each in _ROLES)


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


def _only_true_is_true(value: object) -> object:
    """Left out, it stays unsaid; whatever else a token says is no proof, and no reason to refuse the token."""
    return None if value is None else value is True


_Name = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
_Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(_printable)]


class Claims(BaseModel):
    """The one who asks.

    ``organizer_ids`` is ``None`` when the token does not narrow them down, and empty when it allows none. Roles that we do not know
    are left out; without a known one there are no claims. ``email_verified`` (OpenID Connect Core, section 5.1) is ``None`` when the token
    does not say it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    sub: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    name: Annotated[_Name | None, BeforeValidator(_empty_is_none)] = None
    email: Annotated[_Email | None, BeforeValidator(_empty_is_none)] = None
    email_verified: Annotated[bool | None, BeforeValidator(_only_true_is_true), Field(alias="email_verified")] = None
    merchant_ids: Annotated[Annotated[tuple[int, ...], Field(min_length=1)] | Every, BeforeValidator(_merchants)]
    organizer_ids: Annotated[tuple[int, ...] | None, BeforeValidator(_ids)] = None
    roles: Annotated[frozenset[Role], Field(min_length=1), BeforeValidator(_known_roles)]

    @model_validator(mode="after")
    def _only_operators_see_everything(self) -> Self:
        if self.merchant_ids is Every.MERCHANT and Role.OPERATOR not in self.roles:
            raise ValueError("only an operator may act for every merchant")
        return self

    @property
    def verified_email(self) -> str | None:
        """The address that is theirs. One that nobody verified is written to, and opens nothing."""
        return self.email if self.email_verified else None

    def may_act_for(self, merchant_id: int) -> bool:
        return self.merchant_ids is Every.MERCHANT or merchant_id in self.merchant_ids
