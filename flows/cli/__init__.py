"""The command line ``leitstand``. Commands import what they need when they run, so that ``--help`` loads no framework."""

from flows.cli import app
from infra.garbage import collect_rarely

__all__ = ["main"]


def main() -> None:
    """Be the process of the command line; the entry point of ``leitstand``."""
    collect_rarely()
    app.main()
