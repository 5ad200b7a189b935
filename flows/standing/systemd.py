"""Filling in the systemd unit that starts the standing services with the machine."""

import getpass
import grp
import os
import shlex
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from flows.standing.plan import ServiceName
from infra.disk import disk_error
from infra.settings import Settings

UNIT = "leitstand.service"
SECRET = ("LEITSTAND_DATABASE_URL",)
"""Belongs into /etc/leitstand.env, which only root may read, and not into a unit, which everybody may."""


def write_units(settings: Settings, folder: Path, *, host: str, ports: Mapping[ServiceName, int]) -> list[Path]:
    """Write the units for this installation, user, workspace and state folder, and return their paths.

    Raises
    ------
    StateError
        If the folder cannot be written.
    """
    path = folder / UNIT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(unit(settings, host=host, ports=ports), encoding="utf-8")
    except OSError as error:
        raise disk_error(folder, error) from error
    return [path]


def unit(settings: Settings, *, host: str, ports: Mapping[ServiceName, int]) -> str:
    """Return the filled-in unit."""
    flags = {"--host": host, "--port": ports["service"], "--prefect-port": ports["prefect"], "--mlflow-port": ports["mlflow"]}
    command = [str(Path(sys.executable).with_name("leitstand")), "up", *(str(part) for pair in flags.items() for part in pair)]
    own = {name: value for name, value in settings.environment().items() if value and name not in SECRET}
    workspace = settings.workspace.resolve()
    return (
        (files("infra") / "systemd" / UNIT)
        .read_text(encoding="utf-8")
        .format(
            user=getpass.getuser(),
            group=grp.getgrgid(os.getgid()).gr_name,
            workspace=_escaped(workspace),
            environment="\n".join(f'Environment="{name}={_escaped(value)}"' for name, value in sorted(own.items())),
            command=_escaped(shlex.join(command)),
            writable=" ".join(f'"{_escaped(path)}"' for path in dict.fromkeys((settings.root, workspace))),
        )
    )


def _escaped(value: object) -> str:
    """Return a value in which systemd sees no specifier."""
    return str(value).replace("%", "%%")
