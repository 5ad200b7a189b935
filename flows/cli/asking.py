"""Asking a person on the terminal to choose one of several answers, or to fill one in."""

import sys
from collections.abc import Callable, Mapping

from rich.markup import escape

from flows.cli.app import call
from flows.cli.console import console
from leitstand.texts import text

STOP = "q"


def at_terminal() -> bool:
    """Return whether a person sits at the other end."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def choose(question: str, options: Mapping[str, str], prompt: str, now: str | None = None) -> str | None:
    """Ask until one of ``options`` is typed, and return it; None where the person stops (q, Ctrl-C, or the end of the input).

    Parameters
    ----------
    options : what may be typed, and what it means
    now : what Enter alone stands for; None where it has to be typed
    """
    out = console()
    out.print(f"[bold]{escape(question)}[/]", soft_wrap=True, highlight=False)
    for name, meaning in options.items():
        mark = "*" if name == now else " "
        out.print(f" {mark} [cyan]{escape(name)}[/]  {escape(meaning)}", soft_wrap=True, highlight=False)
    return _typed(lambda typed: typed if typed in options else None, prompt, ", ".join(options), now)


def fill_in(question: str, accept: Callable[[str], str | None], prompt: str, expected: str, now: str | None = None) -> str | None:
    """Ask until something acceptable is typed, and return what ``accept`` made of it; None where the person stops.

    Parameters
    ----------
    accept : returns None for what cannot be
    expected : what can be, in words
    now : what Enter alone stands for; None where it has to be typed
    """
    console().print(f"[bold]{escape(question)}[/]", soft_wrap=True, highlight=False)
    return _typed(accept, prompt, expected, now)


def _typed(accept: Callable[[str], str | None], prompt: str, expected: str, now: str | None) -> str | None:
    out = console()
    kept = f" ({now})" if now is not None else ""
    while True:
        out.print(f"{escape(prompt)}{escape(kept)}: ", end="", highlight=False)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            out.print()
            return None
        typed = line.strip()
        if not line or typed == STOP:
            return None
        accepted = accept(typed or now or "")
        if accepted is not None:
            return accepted
        out.print(text("readiness.ask_wrong", call.language, found=typed, expected=expected), markup=False)
