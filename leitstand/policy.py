"""What a company allows its models: when a model counts as changed, what may be done about it, and what happens when it errs."""

from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from leitstand.contract import Bilingual, Frozen


class Monitoring(Frozen):
    """When the watched model counts as changed.

    Parameters
    ----------
    minimum_rows : fewer logged predictions are not judged
    drifted_share : share of input columns that must have drifted before the input counts as drifted, 0 to 1
    threshold : effect size above which one column has drifted (Wasserstein distance in standard deviations, Jensen–Shannon for categories)
    performance_tolerance : the primary metric may fall behind the hold-out's by this much; for metrics in the target's unit (mae, rmse)
        by this share of the hold-out's figure
    window_hours : how far back a report looks; None for everything since the champion was promoted
    minimum_labels : fewer labelled predictions give no performance verdict
    confirm_windows, of_windows : a change counts when it shows in so many of so many latest windows; defects of the data count at once
    season : what repeats in the inputs; the window is compared with the part of the reference that lies in the same season
    label_delay_hours : how long the truth usually takes; only older predictions are asked for their labels
    """

    minimum_rows: int = Field(default=50, ge=10)
    drifted_share: float = Field(default=0.3, gt=0, le=1)
    threshold: float = Field(default=0.2, gt=0)
    performance_tolerance: float = Field(default=0.05, ge=0)
    window_hours: float | None = Field(default=None, gt=0)
    minimum_labels: int = Field(default=30, ge=10)
    confirm_windows: int = Field(default=2, ge=1)
    of_windows: int = Field(default=3, ge=1)
    season: Literal["none", "day", "week", "year"] = "none"
    label_delay_hours: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _confirmable(self) -> Self:
        if self.confirm_windows > self.of_windows:
            raise ValueError(f"confirm_windows ({self.confirm_windows}) cannot be more than of_windows ({self.of_windows})")
        return self


class Schedule(Frozen):
    """When maintenance runs by itself.

    Parameters
    ----------
    cron : minute, hour, day of month, month, day of week
    time_zone : IANA name
    """

    cron: str = Field(pattern=r"^\S+(\s+\S+){4}$")
    time_zone: str = "Europe/Berlin"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone; expected a name such as Europe/Berlin") from error
        return value


class Maintenance(Frozen):
    """What the maintenance loop may do by itself.

    Parameters
    ----------
    schedule : None where somebody calls ``leitstand maintain``
    promote : ``automatic`` promotes a challenger that passes every gate, ``approval`` waits for a person
    on_drift, on_decay : the reaction to changed inputs and to worse answers
    on_broken_input : ``pause`` answers with the fallback until somebody has looked
    cooldown_hours : after a training no other one for so long
    minimum_new_rows : fewer labelled rows since the last training are nothing new to learn from
    rollout : ``shadow`` lets a challenger answer silently beside the champion first, ``canary`` lets it answer a share of the requests
    canary_share : of the requests, chosen by the hash of their id, 0 to 0.5
    rollout_rows : answers that the challenger must have given before it is promoted or withdrawn
    """

    schedule: Schedule | None = None
    promote: Literal["automatic", "approval"] = "automatic"
    on_drift: Literal["retrain", "ask", "nothing"] = "retrain"
    on_decay: Literal["retrain", "rollback", "ask"] = "retrain"
    on_broken_input: Literal["ask", "pause"] = "ask"
    cooldown_hours: float = Field(default=0, ge=0)
    minimum_new_rows: int = Field(default=1, ge=0)
    rollout: Literal["direct", "shadow", "canary"] = "direct"
    canary_share: float = Field(default=0.1, gt=0, le=0.5)
    rollout_rows: int = Field(default=200, ge=1)


class WhenItErrs(Frozen):
    """What happens when the model is wrong: who decides, who is told.

    Parameters
    ----------
    fallback : what answers while the model is paused or cannot: a ``person`` (the service says so), the ``baseline`` that needs no learning,
        or the ``last_good`` model
    contact : who is responsible, for people to read
    notify : addresses for messages (``mailto://…``, ``json://…`` and all others that Apprise knows), or ``env:NAME`` for the environment
        variable that holds one, so that no password stands in a file
    remind_hours : people are told again of an incident that is still open after so long; never sooner of the same thing
    """

    fallback: Literal["person", "baseline", "last_good"] = "person"
    contact: str | None = None
    procedure: Bilingual | None = None
    notify: tuple[str, ...] = ()
    remind_hours: float = Field(default=24, gt=0)
