"""How soon a worker that died is replaced.

BentoML's supervisor, circus, looks every ten seconds whether its workers live: ``create_standalone_arbiter`` sets that, and neither
``serve_http`` nor ``bentoml serve`` has an option for it (circus itself looks every second). The socket stays open meanwhile, so that clients
wait; ten seconds are longer than they do.
"""

from typing import Any

from bentoml._internal.utils import circus

LOOK_SECONDS = 0.25  # a look takes less than a millisecond


class WatchfulArbiter(circus.Arbiter):
    """The supervisor, which notices at once that a worker died."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options | {"check_delay": LOOK_SECONDS})


def install() -> None:
    """Let BentoML supervise with it in this process; to be called before the supervisor is made."""
    circus.Arbiter = WatchfulArbiter
