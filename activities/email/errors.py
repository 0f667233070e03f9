"""What can become of a delivery that did not succeed.

    DeliveryFailed             code (SMTP, or None when no answer came), text (safe to store and to log)
    ├── TransientFailure       4xx, network, our own standing with the server: try again
    ├── PermanentFailure       5xx, an impossible address: trying again cannot help
    └── AmbiguousFailure       silence after the final dot: the server may or may not have the letter, and nobody can know

``text`` holds our own words and, of the server's answer, one printable line without addresses. The errors are frozen.
"""


class DeliveryFailed(Exception):
    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text, code)

    @property
    def text(self) -> str:
        return str(self.args[0])

    @property
    def code(self) -> int | None:
        code = self.args[1]
        return code if isinstance(code, int) else None

    def __str__(self) -> str:
        return self.text


class TransientFailure(DeliveryFailed):
    """Not delivered, and worth another try."""


class PermanentFailure(DeliveryFailed):
    """Not delivered, and never will be as it is."""


class AmbiguousFailure(DeliveryFailed):
    """Perhaps delivered (RFC 5321, section 4.2.5 and RFC 1047): another try may be a second letter."""
