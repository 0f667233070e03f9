"""What every command has in common: where the API is, who asks, for which merchant, in which form; and how it ends."""

from enum import IntEnum
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperOption


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    WRONG = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    REFUSED = 5
    AWAY = 6


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "it ran, and something failed: a job with failures or cancelled, a degraded system, rows that could not be mended",
    ExitCode.WRONG: "the command or the settings are wrong: nothing was tried",
    ExitCode.NOT_FOUND: "there is no such thing, or the token may not see it",
    ExitCode.NOT_ALLOWED: "no token, a bad one, or one that may not do this",
    ExitCode.REFUSED: "the API refuses: a conflict, or a value that it does not take",
    ExitCode.AWAY: "nothing answers, it is too busy, or it took too long: try again later",
}


class CommandError(Exception):
    """Ends a command: one line for a person, a code for a script."""

    def __init__(self, says: str, code: ExitCode) -> None:
        super().__init__(says)
        self.code = code


class Choices(NamedTuple):
    """What the options that many commands have were set to."""

    as_json: bool
    url: str = ""
    token: str | None = None
    merchant: str | None = None


class MachineVerb(TyperCommand):
    """A command that needs no API. What it is refused is said in one line."""

    common: ClassVar[tuple[str, ...]] = ("as_json",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(TyperOption(**_OPTIONS[name], rich_help_panel="Everywhere") for name in self.common)

    def invoke(self, ctx: Any) -> Any:
        ctx.obj = Choices(**{name: ctx.params.pop(f"common_{name}") for name in self.common})
        try:
            return super().invoke(ctx)
        except CommandError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.code) from None


class PublicVerb(MachineVerb):
    """A command that asks the API what it tells everybody."""

    common: ClassVar[tuple[str, ...]] = ("url", "as_json")


class DirectoryVerb(MachineVerb):
    """A command with a token for all merchants: about no merchant, or about the one that it names itself."""

    common: ClassVar[tuple[str, ...]] = ("url", "token", "as_json")


class Verb(MachineVerb):
    """A command that speaks to the API with a token, mostly for one merchant."""

    common: ClassVar[tuple[str, ...]] = ("url", "token", "merchant", "as_json")


def _text_option(name: str, help_: str, default: str | None = None) -> dict[str, Any]:
    shown = {"show_default": True, "show_envvar": True}
    return {
        "param_decls": [f"--{name}", f"common_{name}"],
        "envvar": f"HELPDESK_{name.upper()}",
        "default": default,
        "help": help_,
        **shown,
    }


_OPTIONS: dict[str, dict[str, Any]] = {
    "url": _text_option("url", "Where the API is.", "http://127.0.0.1:3000"),
    "token": _text_option("token", "A token of the identity service. The local system gives one by itself."),
    "merchant": _text_option("merchant", "The merchant to act for: its slug or its id."),
    "as_json": {
        "param_decls": ["--json", "common_as_json"],
        "is_flag": True,
        "default": False,
        "help": "Write JSON to standard output, for a script.",
    },
}
