"""Who is in charge of a project, who is on trial, and how they came there.

A version is put in charge or on trial only after its release is published, and MLflow's alias is set only after the history says so. So a
process killed at any point leaves at worst a release that nobody names, or a promotion whose alias is still to be set; ``champion`` sets it
then.
"""

import logging
from collections.abc import Mapping
from typing import Any

from infra.history import SHARE, History, Kind, Mode, Promotion, Standing
from infra.mlflow_client import mlflow_errors
from infra.registered import CHAMPION, Models, ModelVersion
from infra.settings import Settings
from leitstand.errors import StateError, UnknownName

__all__ = ["CHAMPION", "ModelVersion", "Registry"]

_logger = logging.getLogger(__name__)


class Registry(Models):
    """The models of all projects, and who is in charge."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._history = History(settings.database("history"))

    def close(self) -> None:
        """Close the connections to the databases."""
        super().close()
        self._history.close()

    def standing(self, project: str) -> Standing | None:
        """Return who answers for the project; None before its first promotion."""
        return self._history.standing().get(project)

    def champion(self, project: str) -> ModelVersion | None:
        """Return the version that answers for the project, or None before the first promotion.

        The history decides. Where MLflow's alias says otherwise (a promotion was killed half-way, or somebody moved the alias by hand) the alias
        is set right.

        Raises
        ------
        StateError
            If the champion's version is gone from MLflow, or a database cannot be reached.
        """
        champions = self._history.champions(project)
        if not champions:
            return None
        try:
            version = self.version(project, champions[-1])
            if version.alias == CHAMPION:
                return version
            with self._locked(project), mlflow_errors(self._settings):
                return self.version(project, self._mirror(project))
        except UnknownName as error:
            raise StateError("infra.champion_gone", project=project, version=champions[-1]) from error

    def promote(self, project: str, version: int, *, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> Promotion:
        """Make a version the champion and note who did it, why, and on which evidence.

        Raises
        ------
        UnknownName
            If there is no such version.
        TamperedModel
            If its files are not the registered ones; the champion stays then.
        StateError
            If the history was changed from outside, or a database cannot be reached or written.
        """
        return self._enthrone(project, "promote", version, who, why, evidence)

    def rollback(
        self, project: str, *, who: str, why: str, version: int | None = None, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """Make an earlier champion the champion again: the one before the current one, or ``version``.

        Raises
        ------
        StateError
            If there is no earlier champion, or a database cannot be reached or written.
        UnknownName, TamperedModel
            As in ``promote``.
        """
        if version is None:
            champions = self._history.champions(project)
            if len(champions) < 2:
                raise StateError("infra.nothing_to_roll_back", project=project)
            version = champions[-2]
        return self._enthrone(project, "rollback", version, who, why, evidence)

    def history(self, project: str) -> list[Promotion]:
        """Return the whole history, oldest first, after checking that no entry was changed.

        Raises
        ------
        StateError
            If the history was changed.
        """
        self._history.verify(project)
        return self._history.read(project)

    def champions(self, project: str) -> list[int]:
        """Return the champions that a rollback would step back through, the current one last; empty before the first promotion."""
        return self._history.champions(project)

    def ask(self, project: str, version: int, *, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> Promotion:
        """Ask a person whether a challenger may be promoted; see ``infra.approvals``.

        Raises
        ------
        UnknownName
            If there is no such version.
        StateError
            If the history was changed, or a database cannot be reached or written.
        """
        return self._note(project, "ask", version, who, why, evidence)

    def reject(self, project: str, version: int, *, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> Promotion:
        """Note that a person does not want a challenger promoted; errors as in ``ask``."""
        return self._note(project, "reject", version, who, why, evidence)

    def begin_trial(
        self,
        project: str,
        version: int,
        mode: Mode,
        share: float,
        *,
        who: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> Promotion:
        """Let a challenger answer beside the champion; the same trial again changes nothing.

        Parameters
        ----------
        mode : ``shadow`` answers silently, ``canary`` answers a share of the requests
        share : of the requests, above 0 and at most 0.5; 0 in the shadow

        Raises
        ------
        StateError
            If there is no champion to compare with, the version is the champion, or another challenger is on trial; or a database cannot be
            reached or written.
        UnknownName, TamperedModel
            As in ``promote``.
        """
        with self._locked(project), mlflow_errors(self._settings):
            now = self._require_standing(project)
            if now.challenger == version and (now.mode, now.share) == (mode, share):
                return [one for one in self._history.read(project) if one.kind == mode][-1]
            if now.champion is None or now.champion == version or now.challenger is not None:
                problem = "trial_running" if now.challenger is not None else "trial_of_champion"
                raise StateError(f"maintenance.{problem}", project=project, version=version, challenger=now.challenger)
            self.publish(self.version(project, version))
            held = {**(evidence or {}), SHARE: share}
            return self._history.append(project, mode, version, who=who, why=why, evidence=held)

    def withdraw(self, project: str, *, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> Promotion:
        """End the trial that is running; the champion stays.

        Raises
        ------
        StateError
            If no trial is running, or a database cannot be reached or written.
        """
        with self._locked(project):
            challenger = self._require_standing(project).challenger
            if challenger is None:
                raise StateError("maintenance.no_trial", project=project)
            return self._history.append(project, "withdraw", challenger, who=who, why=why, evidence=evidence)

    def pause(self, project: str, *, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> Promotion:
        """Let the project's fallback answer instead of its models, until ``resume``.

        Raises
        ------
        StateError
            If it is paused already or has no champion, or a database cannot be reached or written.
        """
        return self._halt(project, "pause", who, why, evidence)

    def resume(self, project: str, *, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> Promotion:
        """Let the champion answer again.

        Raises
        ------
        StateError
            If it is not paused, or a database cannot be reached or written.
        """
        return self._halt(project, "resume", who, why, evidence)

    def _note(self, project: str, kind: Kind, number: int, who: str, why: str, evidence: Mapping[str, Any] | None) -> Promotion:
        with self._locked(project):
            self._history.verify(project)
            return self._history.append(project, kind, self.version(project, number).version, who=who, why=why, evidence=evidence)

    def _halt(self, project: str, kind: Kind, who: str, why: str, evidence: Mapping[str, Any] | None) -> Promotion:
        with self._locked(project):
            now = self._require_standing(project)
            if now.paused == (kind == "pause"):
                key = "already_paused" if now.paused else "not_paused"
                raise StateError(f"maintenance.{key}", project=project, why=now.why, since=f"{now.since:%Y-%m-%d %H:%M}")
            assert now.champion is not None, "a history begins with a promotion"
            return self._history.append(project, kind, now.champion, who=who, why=why, evidence=evidence)

    def _require_standing(self, project: str) -> Standing:
        """Return who answers, by a history that nobody changed.

        Raises
        ------
        StateError
            If the history was changed, or is empty.
        """
        self._history.verify(project)
        now = self.standing(project)
        if now is None:
            raise StateError("flows.no_champion", project=project)
        return now

    def _enthrone(
        self, project: str, kind: Kind, number: int, who: str, why: str, evidence: Mapping[str, Any] | None
    ) -> Promotion:
        with self._locked(project), mlflow_errors(self._settings):
            self._history.verify(project)
            self.publish(self.version(project, number))
            entry = self._history.append(project, kind, number, who=who, why=why, evidence=evidence)
            self._client.set_registered_model_alias(project, CHAMPION, str(number))
            return entry

    def _mirror(self, project: str) -> int:
        """Let the alias say what the history says, read anew under the lock, and return that version."""
        champion, alias = self._history.champions(project)[-1], self._aliases(project).get(CHAMPION)
        if alias != champion:
            _logger.warning("Champion of %s in MLflow was version %s, the history says %s: set right.", project, alias, champion)
            self._client.set_registered_model_alias(project, CHAMPION, str(champion))
        return champion
