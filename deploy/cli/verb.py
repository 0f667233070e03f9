"""What every command has in common: where the API is, who asks, for which merchant, in which form; and how it ends."""

from enum import IntEnum
from typing import Any, NamedTuple

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
    """What the options that all commands have were set to."""

    url: str
    token: str | None
    merchant: str | None
    as_json: bool


class Verb(TyperCommand):
    """A command with these options; what it is refused is said in one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common())

    def invoke(self, ctx: Any) -> Any:
        ctx.obj = Choices(**{name: ctx.params.pop(name) for name in Choices._fields})
        try:
            return super().invoke(ctx)
        except CommandError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.code) from None


def _common() -> list[TyperOption]:
    return [
        _option("--url", "url", "HELPDESK_URL", "Where the API is.", default="http://127.0.0.1:3000"),
        _option("--token", "token", "HELPDESK_TOKEN", "A token of the identity service. The local system gives one by itself."),
        _option("--merchant", "merchant", "HELPDESK_MERCHANT", "The merchant to act for: its slug or its id."),
        TyperOption(
            param_decls=["--json", "as_json"],
            is_flag=True,
            default=False,
            help="Write JSON to standard output, for a script.",
            rich_help_panel=_PANEL,
        ),
    ]


def _option(flag: str, name: str, variable: str, text: str, default: str | None = None) -> TyperOption:
    return TyperOption(
        param_decls=[flag, name], envvar=variable, default=default, show_default=True, show_envvar=True, help=text, rich_help_panel=_PANEL
    )


_PANEL = "Everywhere"
