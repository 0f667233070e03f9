"""Why an operation was refused. Each says what would have been possible.

Refused
├── NotFound             nothing there, or nothing that this caller may see
├── IllegalTransition    the lifecycle does not allow it; names the states that it does
├── Conflict             somebody else was first, or the thing is not in a state for it
└── Invalid              a reference or value in the request that only the database can judge
"""

from collections.abc import Sequence

from models.tickets.lifecycle import Status


class Refused(Exception):
    """``code`` is stable and for programs, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class NotFound(Refused):
    def __init__(self, what: str = "ticket") -> None:
        super().__init__("not_found", f"There is no such {what}.")


class IllegalTransition(Refused):
    def __init__(self, current: Status, wanted: str, allowed: Sequence[Status]) -> None:
        super().__init__("illegal_move", f"A ticket that is {current.value} can't be moved by '{wanted}'.")
        self.allowed = tuple(allowed)


class Conflict(Refused):
    pass


class Invalid(Refused):
    """``pointer`` is the JSON pointer of the offending value in the request."""

    def __init__(self, code: str, detail: str, pointer: str) -> None:
        super().__init__(code, detail)
        self.pointer = pointer
