"""API keys where only the service is installed, as in a container: ``python -m serving.grant create shop --right predict``.

``leitstand keys`` does the same and more where Leitstand is installed; both write to the same table.
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from infra.api_keys import EVERY_PROJECT, RIGHTS, KeyStore
from infra.packaged import service_settings
from leitstand.errors import LeitstandError
from leitstand.texts import Language, text


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what ``arguments`` (by default those of the process) say; return the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    language: Language = "en"
    try:
        settings = service_settings()
        language = settings.language
        settings.folder()
        print("\n".join(_done(asked, KeyStore(settings.database("keys")), language)))  # noqa: T201
    except LeitstandError as error:
        print(error.render(language), file=sys.stderr)  # noqa: T201
        return error.exit_code
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.grant", description="API keys of this service.")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key; it is shown this once")
    create.add_argument("client")
    create.add_argument("--right", action="append", required=True, choices=RIGHTS)
    create.add_argument("--project", action="append", help="all where left out")
    create.add_argument("--days", type=float, help="until it expires")
    commands.add_parser("list", help="show all keys, never a secret")
    revoke = commands.add_parser("revoke", help="end a key now")
    revoke.add_argument("id")
    return parser


def _done(asked: argparse.Namespace, store: KeyStore, language: Language) -> list[str]:
    if asked.command == "create":
        made = store.create(asked.client, asked.project or [EVERY_PROJECT], asked.right, who=current_user(), days=asked.days)
        created = text("keys.created", language, id=made.key.id, client=made.key.client)
        return [created, made.text, text("keys.shown_once", language)]
    if asked.command == "revoke":
        ended = store.revoke(asked.id, who=current_user())
        return [text("keys.revoked_now", language, id=ended.id, client=ended.client)]
    now = datetime.now(UTC)
    return [
        f"{key.id}  {key.client}  {text(f'keys.state_{key.state(now)}', language)}  "
        + " ".join(f"{project}:{'+'.join(rights)}" for project, rights in key.rights.items())
        for key in store.read()
    ] or [text("keys.none", language)]


def current_user() -> str:
    """Return who started this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
