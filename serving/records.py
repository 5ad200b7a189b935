"""The prediction log where only the service is installed, as in a container: ``python -m serving.records erase shop --column customer --value 4711``.

``leitstand log`` does the same and more where Leitstand is installed; both look for a person in the same way.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from data_contracts.odcs import find_contract, read_contract
from infra.audit import open_audit
from infra.packaged import service_settings
from infra.prediction_care import Found, Wanted, as_number, entries, erase, search
from infra.prediction_log import PredictionLog
from infra.pseudonyms import pseudonym_of
from infra.settings import Settings
from leitstand.contract import Contract
from leitstand.errors import LeitstandError, StateError, UnknownName, UsageError
from leitstand.folders import locate
from leitstand.now import now
from leitstand.spec import load_spec
from leitstand.texts import Language, text
from serving.grant import current_user
from serving.times import parse_time


def search_person(
    log: PredictionLog, project: str, contract: Contract | None, settings: Settings, column: str, value: str
) -> Found:
    """Return the predictions with that value, as it is or under its pseudonym.

    Parameters
    ----------
    contract : None for a project whose folder is gone

    Raises
    ------
    UnknownName
        If neither the contract nor the log knows the column: nobody may believe that a person is not in the log because of a misspelling.
    """
    known = {one.name: one for one in contract.columns} if contract else {}
    written: set[object] = {value}
    if column in known and known[column].is_number:
        written |= {as_number(value)} - {None}
    elif column in known and known[column].type == "boolean":
        written |= {int(value.lower() == "true"), value.capitalize()}
    elif column in known and known[column].is_time:
        with suppress(ValueError):
            moment = parse_time(value)
            written |= {moment.isoformat(), str(moment)}
    pseudonyms = {pseudonym_of(settings, column, one) for one in written}
    others = frozenset(one for one in (*pseudonyms, *written) if isinstance(one, str | int))
    found = search(log.database, project, Wanted(column, value, others))
    if column not in known and column not in found.columns:
        raise UnknownName("column", column, found.columns | set(known))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what ``arguments`` (by default those of the process) say; return the exit code."""
    asked = _parser().parse_args(arguments)
    language: Language = "en"
    try:
        settings = service_settings()
        language = settings.language
        log = PredictionLog(settings.database("predictions"))
        print("\n".join(_pruned(asked, settings, log) if asked.command == "prune" else _about(asked, settings, log)))  # noqa: T201
    except LeitstandError as error:
        print(error.render(language), file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.records", description="The predictions that this service has logged."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, told in (("show", "print all about one person (GDPR, Art. 15)"), ("erase", "delete it for good (GDPR, Art. 17)")):
        about = commands.add_parser(name, help=told)
        about.add_argument("project")
        about.add_argument("--column", required=True, help="that names the person")
        about.add_argument("--value", required=True, help="of that column, exactly as it was sent")
    about.add_argument("--yes", action="store_true", help="delete; without it nothing is")
    prune = commands.add_parser("prune", help="delete what is older than the project keeps it")
    prune.add_argument("project")
    prune.add_argument("--days", type=int, help="keep so many; by default serving.log_days of the project")
    return parser


def _about(asked: argparse.Namespace, settings: Settings, log: PredictionLog) -> list[str]:
    project, column, language = asked.project, asked.column, settings.language
    contract_file = load_spec(locate(project, settings.roots) / "project.yaml").contract_file
    contract = read_contract(find_contract(contract_file, settings.roots))
    ids = search_person(log, project, contract, settings, column, asked.value).ids
    if asked.command == "show":
        return [
            json.dumps(one, default=lambda moment: moment.isoformat(), ensure_ascii=False) for one in entries(log.database, ids)
        ]
    if not asked.yes:
        raise UsageError("log.needs_yes_packaged", rows=len(ids))
    gone = erase(log.database, ids)
    open_audit(settings).note("log_erased", project, who=current_user(), column=column, rows=len(ids))
    if not gone:
        raise StateError("log.not_wiped", rows=len(ids))
    return [text("log.erased_packaged", language, rows=len(ids), column=column)]


def _pruned(asked: argparse.Namespace, settings: Settings, log: PredictionLog) -> list[str]:
    project = asked.project
    days = asked.days or load_spec(locate(project, settings.roots) / "project.yaml").serving.log_days
    if days is None:
        raise UsageError("log.no_days", project=project)
    before = now() - timedelta(days=days)
    rows = log.prune(project, before)
    if rows:
        open_audit(settings).note("log_erased", project, who=current_user(), before=before.isoformat(), rows=rows)
    return [text("log.pruned", settings.language, rows=rows, before=f"{before:%Y-%m-%d %H:%M} UTC")]


if __name__ == "__main__":
    sys.exit(main())
