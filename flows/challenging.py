"""Training a challenger, and what becomes of it: promoted, refused, put on trial, or shown to a person."""

from collections.abc import Mapping
from typing import Any

from flows.incidents import report_incident, said_by
from flows.introduction import promote
from flows.judged import evidence_of
from flows.notifying import language_of
from flows.one_pass import Pass
from flows.practice_check import practice_check
from flows.status_quo import status_quo
from flows.training import keep_challenger
from flows.trial import begin
from infra.approvals import barred, pending
from leitstand.incident import Statement
from leitstand.lesser_evil import is_lesser_evil
from leitstand.texts import text


def retrain(one: Pass) -> None:
    """Train a challenger, and promote, refuse, try or show it to a person, as the gates and project.yaml say."""
    desk, policy = one.desk, one.desk.project.spec.maintenance
    desk.tracker.close_abandoned(desk.project.name)
    inventory = status_quo(desk)
    pilot = one.pilot = practice_check(desk, inventory, one.looked.since)
    keep_challenger(desk, inventory, pilot)
    version, judgement = pilot.version.version, pilot.judgement
    why = one.looked.decision.render(language_of(desk))
    if pilot.unchanged:
        one.did("refused", version, Statement.of("maintenance.same_model", version=version))
    elif version in barred(desk.registry.history(desk.project.name)):
        _refuse(one, version, Statement.of("maintenance.taken_back_before", version=version))
    elif judgement.only_distrusted:
        piece = judgement.distrusted[0]
        ask(
            one,
            version,
            evidence_of(pilot),
            Statement.of("maintenance.distrusted", start=piece.start, end=piece.end, rows=piece.rows),
        )
    elif not judgement.passed and not is_lesser_evil(judgement):
        failed = ", ".join(gate.name for gate in judgement.gates if not gate.passed)
        _refuse(one, version, Statement.of("maintenance.gates_failed", version=version, gates=failed))
    elif policy.rollout != "direct":
        begin(desk, pilot, one.who, why)
        one.did("trial", version, Statement.of(f"maintenance.begun_{policy.rollout}", version=version, rows=policy.rollout_rows))
    elif policy.promote == "approval":
        ask(one, version, evidence_of(pilot), Statement.of("maintenance.approval_needed", version=version))
    else:
        passed = text("maintenance.passed" if judgement.passed else "maintenance.lesser_evil", language_of(desk))
        promote(desk, pilot, one.who, f"{passed}; {why}")
        one.did("promoted", version, *said_by(one.looked.decision))


def _refuse(one: Pass, version: int, why: Statement) -> None:
    one.did("refused", version, why)
    report_incident(one.desk, "refused_challenger", "info", why)


def ask(one: Pass, version: int, evidence: Mapping[str, Any], *why: Statement) -> None:
    """Let a challenger wait for a person's word; one that waits already is not asked for again."""
    name = one.desk.project.name
    if not any(waiting.version == version for waiting in pending(one.desk.settings, name)):
        reasons = " ".join(said.render(language_of(one.desk)) for said in why)
        one.desk.registry.ask(name, version, who=one.who, why=reasons, evidence=evidence)
        report_incident(one.desk, "approval", "warning", why)
    one.did("waiting", version, *why)
