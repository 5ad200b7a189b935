"""Time-lapses: Leitstand's maintenance loop against never training, training every period, and an oracle. ``python -m benchmarks.time_lapse``.

Built-in streams run once for every seed, real streams once; public data are looked for under LEITSTAND_REAL_DATA. Each time-lapse is
``leitstand simulate`` in a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.serving import BIN
from infra.settings import load_settings
from leitstand.scenarios import Scenario

POLICIES = ("never", "always", "leitstand", "oracle")


@dataclass(frozen=True)
class Real:
    """A real stream.

    Parameters
    ----------
    source : below LEITSTAND_REAL_DATA
    table : makes the one table of the files
    new : options of ``leitstand new``
    lapse : options of ``leitstand simulate``
    """

    source: str
    table: Callable[[Path], pd.DataFrame]
    new: tuple[str, ...]
    lapse: tuple[str, ...]


def turbine(folder: Path) -> pd.DataFrame:
    """Return the hours of 2011 to 2013; the year says nothing about a single hour, and the other emission is a target itself."""
    return pd.read_csv(folder / "gt_2011_2013.csv").drop(columns=["year", "NOX"])


def bakery(folder: Path) -> pd.DataFrame:
    """Return turnover by day and product group, with weather and the city festival."""
    sales = pd.read_csv(folder / "umsatzdaten_gekuerzt.csv", parse_dates=["Datum"]).drop(columns="id")
    weather = pd.read_csv(folder / "wetter.csv", parse_dates=["Datum"]).drop(columns="Wettercode")
    festival = pd.read_csv(folder / "kiwo.csv", parse_dates=["Datum"])
    joined = sales.merge(weather, on="Datum", how="left").merge(festival, on="Datum", how="left")
    joined = joined.assign(
        Warengruppe="w" + joined["Warengruppe"].astype(str),
        KielerWoche=joined["KielerWoche"].fillna(0).astype(int),
        Wochentag=joined["Datum"].dt.day_name(),
        Tag=joined["Datum"].dt.dayofyear,
    )
    return joined.sort_values("Datum", kind="stable")


def chiller(folder: Path) -> pd.DataFrame:
    """Return the half-hours of the chiller."""
    frame = pd.read_csv(folder / "HVAC_Energy_Data.csv")
    frame.columns = [name.split(" (")[0].lower().replace(" ", "_") for name in frame.columns]
    frame = frame.rename(columns={"local_time": "time"})
    return frame.assign(time=pd.to_datetime(frame["time"]))


def debutanizer(folder: Path) -> pd.DataFrame:
    """Return the readings with the butane content; the file begins with lines that hold none."""
    lines = (folder / "debutanizer_data.txt").read_text().splitlines()
    rows = [[float(value) for value in line.split()] for line in lines if len(line.split()) == 8 and line.split()[0][0].isdigit()]
    return pd.DataFrame(rows, columns=[*(f"u{number}" for number in range(1, 8)), "butane"])


STREAMS = {
    "gas_turbine": Real("virtual_sensor/gas-turbine", turbine, ("--target", "CO", "--ordered"), ("--period", "616")),
    "bakery": Real(
        "demand_forecast/kiel-bakery", bakery, ("--target", "Umsatz", "--time", "Datum"), ("--period", "7D", "--periods", "52")
    ),
    "chiller": Real(
        "cooling_tower/chiller-energy",
        chiller,
        ("--target", "chiller_energy_consumption", "--time", "time"),
        ("--period", "7D"),
    ),
    "debutanizer": Real(
        "virtual_sensor/debutanizer", debutanizer, ("--target", "butane", "--ordered", "--lags", "12"), ("--period", "100")
    ),
}


def main() -> None:
    """Run what was asked for and print one table row each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_lapse", description=__doc__)
    parser.add_argument("--project", default="virtual_sensor")
    parser.add_argument("--scenarios", default="sudden_shift", help="separated by commas, or 'all', or '' for none")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--periods", type=int, default=52)
    parser.add_argument(
        "--policies", default=",".join(POLICIES), help="of the built-in streams; training every period takes longest"
    )
    parser.add_argument("--real", default="", help="separated by commas, or 'all'")
    parser.add_argument("--pictures", type=Path, help="folder to keep the pictures in")
    arguments = parser.parse_args()
    print("| stream | policy | cost EUR | trainings | noticed after | false alarms | taken back | failed | regret | s |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    wanted = [one.value for one in Scenario] if arguments.scenarios == "all" else _listed(arguments.scenarios)
    for scenario in wanted:
        options = (
            arguments.project,
            "--periods",
            str(arguments.periods),
            "--scenario",
            scenario,
            "--policies",
            arguments.policies,
        )
        found = [_simulated((*options, "--seed", str(seed)), None, arguments.pictures) for seed in range(arguments.seeds)]
        _print(f"{arguments.project} {scenario}", found)
    root = load_settings().real_data
    for name in STREAMS if arguments.real == "all" else _listed(arguments.real):
        if root is None or not (root / STREAMS[name].source).exists():
            print(f"| {name} | no data: set LEITSTAND_REAL_DATA | | | | | | | | |")
            continue
        _print(name, [_simulated((name, *STREAMS[name].lapse), (name, root), arguments.pictures)])


def _listed(given: str) -> list[str]:
    return [one.strip() for one in given.split(",") if one.strip()]


def _simulated(options: Sequence[str], real: tuple[str, Path] | None, pictures: Path | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        own = {"LEITSTAND_HOME": f"{scratch}/home", "LEITSTAND_WORKSPACE": scratch}
        environment = {**os.environ, **own}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if real is not None:
            name, root = real
            stream, table = STREAMS[name], Path(scratch) / f"{name}.csv"
            stream.table(root / stream.source).to_csv(table, index=False)
            _call([str(BIN / "leitstand"), "new", name, "--data", str(table), *stream.new], environment)
            options = (*options, "--data", str(table))
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            options = (*options, "--output", str(pictures / f"{'-'.join(one for one in options if one[0] not in '-/')}.png"))
        done = _call([str(BIN / "leitstand"), "simulate", *options, "--json"], environment)
        found: dict[str, Any] = json.loads(done)
        return found


def _call(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _print(name: str, found: list[dict[str, Any]]) -> None:
    """Print the medians over the seeds; the false alarms and failed requests are sums."""
    regrets = [one["regret"] for one in found if one["regret"] is not None]
    regret = f"{statistics.median(regrets):.0%}" if regrets else "–"
    for policy in found[0]["policies"]:
        mine = [one["policies"][policy] for one in found]
        delays = [one["detection_delay_periods"] for one in mine if one["detection_delay_periods"] is not None]
        false = [one["false_alarms"] for one in mine if one["false_alarms"] is not None]
        cells = [
            f"{statistics.median(one['cost_eur'] for one in mine):,.0f}",
            f"{statistics.median(one['trainings'] for one in mine):g}",
            f"{statistics.median(delays):g}" if delays else "–",
            str(sum(false)) if false else "–",
            str(sum(one["rollbacks"] for one in mine)),
            str(sum(one["failed_requests"] for one in mine)),
            regret if policy == "leitstand" else "",
            f"{statistics.median(one['seconds'] for one in mine):.0f}",
        ]
        print(f"| {name} | {policy} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
