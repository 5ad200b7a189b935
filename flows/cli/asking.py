"""Asking a person on the terminal to choose one of several answers."""

import sys
from collections.abc import Mapping

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
    kept = f" ({now})" if now is not None else ""
    while True:
        out.print(f"{escape(prompt)}{kept}: ", end="", highlight=False)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            out.print()
            return None
        typed = line.strip()
        if not line or typed == STOP:
            return None
        chosen = typed or now
        if chosen is not None and chosen in options:
            return chosen
        out.print(text("readiness.ask_wrong", call.language, found=typed, expected=", ".join(options)), markup=False)
