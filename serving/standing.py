"""The service as one of the standing services: for every project that has a champion, also those that get one later."""

import getpass
import os
from pathlib import Path
from typing import NoReturn

import serving
from infra.api_keys import KeyStore
from infra.audit import open_audit
from infra.settings import Settings
from serving.exposure import check_address
from serving.launch import service_command, service_environment


def check_host(settings: Settings, host: str) -> str:
    """Return the address that a host name stands for.

    Raises
    ------
    UsageError
        If it is no address, or not loopback and there is no API key.
    """
    return check_address(host, has_keys=KeyStore(settings.database("keys")).has_any(), has_tls=False).host


def become_service(settings: Settings, host: str, port: int) -> NoReturn:
    """Replace this process by the service, which ends with the parent of this process.

    Raises
    ------
    UsageError
        As ``check_host``.
    """
    address = check_host(settings, host)
    open_audit(settings).note("service_started", f"http://{address}:{port}", who=getpass.getuser(), projects=[])
    command = service_command([], address, port, os.getppid())
    os.chdir(Path(serving.__file__).parent.parent)
    os.execve(command[0], command, service_environment(settings))  # noqa: S606 - our own interpreter
