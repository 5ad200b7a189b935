"""A challenger beside the champion: silently for the same rows, or for a share of the requests."""

from dataclasses import dataclass
from hashlib import blake2b

from infra.history import Mode
from serving.endpoint import Endpoint

_WHOLE = 2**64


@dataclass(frozen=True, slots=True)
class Rollout:
    """A challenger on trial.

    Parameters
    ----------
    mode : ``shadow`` answers silently what the champion has answered, ``canary`` answers some requests in its place
    share : of the requests that a canary answers
    """

    endpoint: Endpoint
    mode: Mode
    share: float

    def takes(self, request_id: str) -> bool:
        """Return whether the challenger is the one that answers a request; see ``takes``."""
        return self.mode == "canary" and takes(request_id, self.endpoint.version, self.share)


def takes(request_id: str, version: int, share: float) -> bool:
    """Return whether a request is among the share that a version on trial answers: the same for ever, and by another draw for each version.

    Parameters
    ----------
    request_id : as the prediction log keeps it
    """
    digest = blake2b(f"{version}:{request_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * _WHOLE
