"""What a person may be to the desk; the vocabulary of a token's ``roles``."""

from enum import StrEnum


class Role(StrEnum):
    REPORTER = "reporter"
    AGENT = "agent"
    SENIOR = "senior"
    LEAD = "lead"
    ADMIN = "admin"
    OPERATOR = "operator"
