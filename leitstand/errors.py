"""Every error a user can cause or meet, as one tree.

::

    LeitstandError                exit code 1
    ├── UsageError                exit code 2: the call itself was wrong
    │   └── UnknownName           no such project, column, metric … (did you mean)
    ├── ProjectError              project.yaml, model.py or the contract file is wrong
    ├── DataError                 the data cannot be used
    │   ├── SourceError           cannot be read at all
    │   ├── ContractBroken        read, but the contract says no
    │   ├── NotEnoughData         too few rows, classes or labels
    │   └── LeakError             a column gives the target away
    ├── ModelError                a model file cannot be trusted or used
    │   └── TamperedModel         hash or type check failed
    ├── StateError                the state folder or a database is not as it should be
    │   └── Busy                  another run holds it
    ├── ServiceError              a service does not start or answer
    └── GateRefused               exit code 3: everything worked and a gate said no

A message comes from the catalogue (``leitstand/texts/``): what is wrong, what was expected and found, and what to do next.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from leitstand.texts import Language, text


class LeitstandError(Exception):
    """Base of all errors that are the user's to mend.

    Parameters
    ----------
    key : name of the message in the catalogue, with its area
    **values : values of the message's placeholders
    """

    exit_code = 1

    def __init__(self, key: str, /, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(text(key, "en", **values))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error travel between processes: the default would call the class with the message alone."""
        return _restore, (type(self), self.args, self.__dict__)

    def render(self, language: Language) -> str:
        """Return the message in ``language``."""
        return text(self.key, language, **self.values)


def _restore(kind: type[LeitstandError], arguments: tuple[Any, ...], state: dict[str, Any]) -> LeitstandError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class UsageError(LeitstandError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that does not exist, with the nearest ones that do.

    Parameters
    ----------
    kind : what was looked for: a key of the catalogue's area ``kinds``, such as ``project`` or ``column``
    name : what was asked for
    known : the names that exist
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        self.kind, self.close = kind, close
        key = "errors.unknown_name_close" if close else "errors.unknown_name"
        shown = ", ".join(close or names[:20]) or "–"
        super().__init__(key, kind=text(f"kinds.{kind}", "en"), name=name, known=shown)

    def render(self, language: Language) -> str:
        """Return the message in ``language``, the kind of name translated too."""
        return text(self.key, language, **(self.values | {"kind": text(f"kinds.{self.kind}", language)}))


class ProjectError(LeitstandError):
    """The project's own files are wrong."""


class DataError(LeitstandError):
    """The data cannot be used."""


class SourceError(DataError):
    """The data cannot be read."""


class ContractBroken(DataError):
    """The data were read, and the contract does not let them in."""


class NotEnoughData(DataError):
    """Too few rows, classes or labels for an honest answer."""


class LeakError(DataError):
    """A column gives the target away."""


class ModelError(LeitstandError):
    """A stored model cannot be used."""


class TamperedModel(ModelError):
    """A stored model is not the one that was registered."""


class StateError(LeitstandError):
    """The state folder or a database is not as it should be."""


class Busy(StateError):
    """Another run holds what this one needs."""


class ServiceError(LeitstandError):
    """A service does not start or does not answer."""


class GateRefused(LeitstandError):
    """Everything worked, and a gate said no."""

    exit_code = 3
