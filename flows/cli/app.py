"""The root of the command line: options for every command, errors as one message, exit codes.

Exit codes: 0 done, 1 our error, 2 wrong usage, 3 a gate said no, 130 interrupted.
"""

import _thread
import errno
import sys
import threading
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer

from infra.settings import Settings, calm_tools, follow_clock, load_settings
from leitstand.errors import GateRefused, LeitstandError
from leitstand.texts import LANGUAGES, Language, text

app = typer.Typer(
    name="leitstand",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From the first data inventory to a model that is served, watched and kept good.",
    epilog="Options for every command: --language de|en, --debug (shows the traceback of an error).",
)

GATE_REFUSED = GateRefused.exit_code
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")]
INTERRUPTED = 130
WARM = frozenset({"contract", "demo", "maintain", "monitor", "reproduce", "run", "train"})
"""Commands that wait for imports longer than for anything else, and ask nothing: the worker of ``leitstand up`` carries them out."""
Name = Annotated[str, typer.Argument(help="Name of the project; 'leitstand projects' lists them.")]


@dataclass
class Call:
    """What holds for this call of the command line, whatever the command."""

    language: Language = "en"
    debug: bool = False


call = Call()


def settings() -> Settings:
    """Return the settings with the language of this call."""
    found = load_settings(language=call.language)
    follow_clock(found)
    return found


def main() -> None:
    """Run the command line."""
    arguments = _global_options(sys.argv[1:])
    if arguments and arguments[0] in WARM and not {"-h", "--help"} & set(arguments):
        _delegate(arguments[0], "--json" in arguments)
    carry_out(sys.argv[1:])


def carry_out(arguments: list[str]) -> None:
    """Carry a command out in this process, and end it with the exit code."""
    arguments = _global_options(arguments)
    calm_tools()
    add_commands()
    as_json = "--json" in arguments
    usual, sys.unraisablehook = sys.unraisablehook, _keep_interrupts
    try:
        code = app(args=arguments, prog_name="leitstand", standalone_mode=False)
        if code == INTERRUPTED:  # Typer turns Ctrl-C into this
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except LeitstandError as error:
        _fail(error.render(call.language), type(error).__name__, error.exit_code, as_json, error)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail(_interrupted(arguments), "Interrupted", INTERRUPTED, as_json, None)
    except Exception as error:
        if _is_interrupt(error):
            _fail(_interrupted(arguments), "Interrupted", INTERRUPTED, as_json, error)
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's own errors about usage
            _fail(error.format_message(), "UsageError", 2, as_json, error)
        _fail(_unexpected(error), type(error).__name__, 1, as_json, error)
    finally:
        sys.unraisablehook = usual


def _delegate(command: str, as_json: bool) -> None:
    """Let the warm worker carry this command out and end with its exit code; return where there is none that can."""
    from flows.standing.delegation import delegate

    try:
        code = delegate(command, sys.argv[1:], load_settings())
    except LeitstandError as error:
        _fail(error.render(call.language), type(error).__name__, error.exit_code, as_json, error)
    except KeyboardInterrupt:
        _fail(text("flows.interrupted", call.language), "Interrupted", INTERRUPTED, as_json, None)
    if code is not None:
        sys.exit(code)


def _interrupted(arguments: list[str]) -> str:
    """Return what is said after a Ctrl-C; a batch is the command that goes on where it stopped."""
    return text("batch.interrupted" if arguments[:1] == ["predict"] else "flows.interrupted", call.language)


def _keep_interrupts(lost: Any) -> None:
    """Raise a Ctrl-C again that fell into a callback, where Python reports errors and goes on."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        threading.Timer(0.1, _thread.interrupt_main).start()  # at once would be into this hook, and lost again
    else:
        sys.__unraisablehook__(lost)


def _is_interrupt(error: BaseException | None) -> bool:
    """Return whether an error comes of a Ctrl-C: pydantic makes its own of one that falls into what it calls, with it as the cause or in the text."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        if KeyboardInterrupt.__name__ in str(error):
            return True
        error = error.__cause__
    return error is not None


def _global_options(arguments: list[str]) -> list[str]:
    """Take --debug and --language out of the arguments, wherever they stand."""
    call.debug = False
    call.language = _language(as_json="--json" in arguments)
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--debug":
            call.debug = True
        elif argument == "--language" or argument.startswith("--language="):
            value = argument.partition("=")[2] or next(waiting, "")
            if value not in LANGUAGES:
                _fail(text("flows.language_unknown", "en", found=value), "UsageError", 2, "--json" in arguments, None)
            call.language = value
        else:
            rest.append(argument)
    return rest


def _language(as_json: bool) -> Language:
    try:
        return load_settings().language
    except LeitstandError as error:
        return _fail(str(error), type(error).__name__, error.exit_code, as_json, None)


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
        return text("flows.disk", call.language, path=error.filename or "?", detail=error.strerror)
    detail = " ".join(str(error).split())[:300]
    return text("flows.unexpected", call.language, kind=type(error).__name__, detail=detail)


def _fail(message: str, kind: str, code: int, as_json: bool, error: BaseException | None) -> NoReturn:
    if call.debug and error is not None:
        raise error
    if as_json:
        import json

        sys.stdout.write(json.dumps({"error": {"kind": kind, "message": message, "exit_code": code}}, ensure_ascii=False) + "\n")
    else:
        from rich.console import Console

        label = text("flows.error", call.language)
        Console(stderr=True, soft_wrap=True).print(f"[bold red]{label}[/] ", end="")
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(message)
    sys.exit(code)


def emit(document: Any) -> None:
    """Print one JSON document on stdout: a pydantic model, or anything that JSON knows. What is no number is null."""
    from pydantic_core import to_json

    sys.stdout.write(to_json(document, indent=2, inf_nan_mode="null").decode() + "\n")


def add_commands() -> None:
    """Register the commands; their modules import frameworks inside the functions only."""
    from flows.cli import (  # noqa: F401
        approvals,
        business,
        care,
        contracts,
        data,
        dossier,
        incidents,
        ingest,
        inventory,
        keys,
        labels,
        log,
        models,
        package,
        pilot,
        projects,
        readiness,
        review,
        runs,
        service,
        simulate,
        sourcing,
        standing,
        value,
    )
