"""The roles of people, as a token's ``roles`` names them."""

from enum import StrEnum


class Role(StrEnum):
    REPORTER = "reporter"
    AGENT = "agent"
    SENIOR = "senior"
    LEAD = "lead"
    ADMIN = "admin"
    OPERATOR = "operator"
