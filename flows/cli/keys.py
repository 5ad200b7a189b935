"""Commands about access: keys create, list, rotate and revoke, and the audit log."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, app, call, emit, settings

if TYPE_CHECKING:  # both load SQLAlchemy
    from infra.api_keys import ApiKey, KeyStore, NewKey
    from infra.audit import Act

keys = typer.Typer(no_args_is_help=True, help="API keys: who may ask the service for what.")
app.add_typer(keys, name="keys")
Id = Annotated[str, typer.Argument(help="Id of the key; 'leitstand keys list' shows it.")]


@keys.command(epilog="Example: leitstand keys create shop --project cell_diagnostics --right predict --right feedback --days 365")
def create(
    client: Annotated[str, typer.Argument(help="Who gets the key; stands in the prediction log.")],
    project: Annotated[list[str], typer.Option(help="Project that the key opens, or '*' for all; may be repeated.")],
    right: Annotated[list[str], typer.Option(help="read, predict, feedback, data or admin (all); may be repeated.")],
    days: Annotated[float | None, typer.Option(help="Until the key expires; never where left out.")] = None,
    per_minute: Annotated[int | None, typer.Option(help="Requests per minute, in place of the projects' limit.")] = None,
    rows_per_minute: Annotated[int | None, typer.Option(help="Rows per minute, in place of the projects' limit.")] = None,
    json: Json = False,
) -> None:
    """Make a key for a client. It is shown this once."""
    from flows.cli.console import say
    from flows.workspace import current_user
    from infra.api_keys import EVERY_PROJECT
    from leitstand.folders import locate

    now = settings()
    for name in project:
        if name != EVERY_PROJECT:
            locate(name, now.roots)
    store = _store()
    first = not store.has_any()
    limits = {"per_minute": per_minute, "rows_per_minute": rows_per_minute}
    made = store.create(client, project, right, who=current_user(), days=days, **limits)
    if json:
        emit(_shown(made.key) | {"key": made.text})
        return
    say("keys.created", id=made.key.id, client=client)
    _show_once(made)
    if first:
        say("keys.first_key")


@keys.command("list", epilog="Example: leitstand keys list")
def list_keys(json: Json = False) -> None:
    """Show all keys: client, rights, state, last use; never a secret."""
    from flows.cli.console import say, table
    from leitstand.texts import text

    known = [_shown(key) for key in _store().read()]
    if json:
        emit({"keys": known})
        return
    if not known:
        say("keys.none")
        return
    columns = ["id", "client", "rights", "state", "created_on", "expires", "last_used", "limits"]
    rows = []
    for key in known:
        rights = "\n".join(f"{project}: {', '.join(given)}" for project, given in key["rights"].items())
        state = text(f"keys.state_{key['state']}", call.language)
        days = [moment and moment[:10] for moment in (key["created"], key["expires"], key["last_used"])]
        limits = [text(f"keys.{name}", call.language, limit=key[name]) for name in ("per_minute", "rows_per_minute") if key[name]]
        rows.append((key["id"], key["client"], rights, state, *days, "\n".join(limits) or None))
    table("", [f"keys.{column}" for column in columns], rows)


@keys.command(epilog="Example: leitstand keys rotate 7f3k2m9q --grace-hours 48")
def rotate(
    key: Id,
    grace_hours: Annotated[float, typer.Option(help="How long the old secret stays good; 0 ends it now.")] = 24.0,
    json: Json = False,
) -> None:
    """Give a key a new secret; the old one stays good for a while, so that the client can change over."""
    from flows.cli.console import say
    from flows.workspace import current_user

    made = _store().rotate(key, who=current_user(), grace_hours=grace_hours)
    if json:
        emit(_shown(made.key) | {"key": made.text})
        return
    say("keys.rotated_now", id=made.key.id, client=made.key.client, until=f"{made.key.old_until:%Y-%m-%d %H:%M} UTC")
    _show_once(made)


@keys.command(epilog="Example: leitstand keys revoke 7f3k2m9q")
def revoke(key: Id, json: Json = False) -> None:
    """End a key now and for good."""
    from datetime import UTC, datetime

    from flows.cli.console import say
    from flows.workspace import current_user

    store = _store()
    ended = store.revoke(key, who=current_user())
    if json:
        emit(_shown(ended))
        return
    say("keys.revoked_now", id=ended.id, client=ended.client)
    if not any(one.state(datetime.now(UTC)) == "active" for one in store.read()):
        say("keys.last_key")


@app.command(epilog="Example: leitstand audit --verify")
def audit(
    verify: Annotated[bool, typer.Option("--verify", help="Check first that no entry was changed.")] = False,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many, the newest.")] = None,
    json: Json = False,
) -> None:
    """Show who did what: keys made and revoked, models promoted, predictions erased, services offered."""
    from rich.markup import escape

    from flows.cli.console import say, table
    from infra.audit import administrative_acts, verify_acts
    from leitstand.texts import text

    now = settings()
    verified = verify_acts(now) if verify else None
    acts = administrative_acts(now)
    acts = acts if last is None else acts[-last:]
    if json:
        checked = {"entries": verified.entries, "newest": verified.newest} if verified else None
        emit({"acts": [_told(act) for act in acts], "verified": checked})
        return
    if verified:
        say("keys.audit_verified", count=verified.entries, newest=verified.newest)
    if not acts:
        say("keys.audit_none")
        return
    rows = []
    for act in acts:
        detail = ", ".join(f"{name} {value}" for name, value in act.detail.items() if value is not None)
        what = text(f"keys.act_{act.kind}", call.language)
        rows.append((f"{act.time:%Y-%m-%d %H:%M:%S}", escape(act.who), what, escape(act.subject), escape(detail)))
    table("", [f"keys.{column}" for column in ("time", "who", "act", "subject", "detail")], rows)


def _store() -> "KeyStore":
    from infra.api_keys import KeyStore

    return KeyStore(settings().database("keys"))


def _shown(key: "ApiKey") -> dict[str, Any]:
    from datetime import UTC, datetime

    moments = {name: getattr(key, name) for name in ("created", "expires", "revoked", "rotated", "old_until", "last_used")}
    return {
        "id": key.id,
        "client": key.client,
        "rights": {project: list(given) for project, given in key.rights.items()},
        "state": key.state(datetime.now(UTC)),
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "per_minute": key.per_minute,
        "rows_per_minute": key.rows_per_minute,
    }


def _show_once(made: "NewKey") -> None:
    """Print the key alone on stdout, so that a script can take it, and what to know on stderr."""
    from flows.cli.console import say

    typer.echo(made.text)
    say("keys.shown_once")


def _told(act: "Act") -> dict[str, Any]:
    kept = {"kind": act.kind, "subject": act.subject, "who": act.who}
    return {"time": act.time.isoformat(), **kept, "detail": dict(act.detail)}
