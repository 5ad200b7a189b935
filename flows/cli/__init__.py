"""The command line ``leitstand``. Commands import what they need when they run, so that ``--help`` loads no framework."""

from flows.cli.app import main

__all__ = ["main"]
