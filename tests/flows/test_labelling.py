"""The truth comes late and without ids: it finds its answer by key and time, and what is ambiguous is refused."""

import pandas as pd
import pytest
from workshop import Workshop, parts

from infra.prediction_log import PredictionLog
from infra.settings import load_settings

pytestmark = pytest.mark.slow


def answered(workshop: Workshop, frame: pd.DataFrame) -> None:
    file = workshop.table("asked.csv", frame.drop(columns="quality"))
    workshop.done("predict", "parts", "--data", file, "--output", workshop.work / "answers.csv")


def test_what_is_no_truth_by_the_contract_is_refused_with_its_rows_and_nothing_noted(own_parts: Workshop) -> None:
    asked = parts(5, seed=1)
    answered(own_parts, asked)
    truth = asked[["note", "quality"]].assign(quality=["good", "zzz", "bad", "bad", "yyy"])
    answers = pd.read_csv(own_parts.work / "answers.csv")
    by_id = truth.assign(prediction_id=answers["prediction_id"])
    for file, options in ((own_parts.table("truth.csv", truth), ("--by", "note")), (own_parts.table("by_id.csv", by_id), ())):
        refused = own_parts("label", "parts", "--data", file, *options)
        assert refused.code == 2
        assert "2 of 5 truths have not the form" in refused.told
        assert "row 2: 'zzz', row 5: 'yyy'" in refused.told
    log = PredictionLog(load_settings(home=own_parts.home, database_url=None).database("predictions"))
    assert log.read("parts", labelled=True).empty
    log.close()


def test_labels_find_their_prediction_by_key_and_what_is_ambiguous_is_refused(own_parts: Workshop) -> None:
    asked = parts(40, seed=1)
    answered(own_parts, asked)
    answered(own_parts, asked.head(1))  # asked twice
    truth = pd.concat([asked[["note", "quality"]], pd.DataFrame({"note": ["never made"], "quality": ["good"]})])
    file = own_parts.table("truth.csv", truth)

    told = own_parts.done("label", "parts", "--data", file, "--by", "note", "--json").document

    refused = {"row": 1, "key": f"note={asked['note'][0]}", "doubt": "several_answers"}
    assert (told["matched"], told["unknown"], told["ambiguous"]) == (39, 1, [refused])
    log = PredictionLog(load_settings(home=own_parts.home, database_url=None).database("predictions"))
    kept = log.read("parts").set_index("note")["label"].dropna()
    assert kept.to_dict() == asked.set_index("note")["quality"].iloc[1:].to_dict()
    log.close()
    shown = own_parts.done("label", "parts", "--data", file, "--by", "note", "--language", "de").told
    assert "39 Rückmeldungen vermerkt; 1 Zeilen gehören zu keiner Vorhersage, 1 sind mehrdeutig und wurden abgelehnt" in shown
    assert "mehrere Vorhersagen haben diesen Schlüssel" in shown


def test_a_time_finds_the_nearest_prediction_of_the_key(own_parts: Workshop) -> None:
    asked = parts(6, seed=1).assign(material="PE")
    answered(own_parts, asked)
    now = pd.Timestamp.now(tz="UTC")
    lab = pd.DataFrame({"material": ["PE", "PE"], "sampled": [now.isoformat(), "2020-01-01T00:00:00Z"], "label": ["good", "bad"]})
    file = own_parts.table("lab.csv", lab)

    told = own_parts.done(
        "label", "parts", "--data", file, "--by", "material", "--time", "sampled", "--tolerance", 60, "--json"
    ).document

    assert (told["matched"] + len(told["ambiguous"]), told["unknown"]) == (1, 1)  # the old sample is too far from all of them
    whole = ["--by", "material,note", "--time", "sampled", "--tolerance", 60, "--json"]
    exact = own_parts.table("exact.csv", lab.head(1).assign(note=asked["note"].iloc[-1]))
    assert own_parts.done("label", "parts", "--data", exact, *whole).document["matched"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "sampled"], "--time goes with --by"),
        (["--by", "materiel"], "Did you mean: material"),
        (["--by", "quality"], "no column 'quality'"),
    ],
)
def test_wrong_options_say_what_to_do(own_parts: Workshop, options: list[str], message: str) -> None:
    file = own_parts.table("truth.csv", parts(3)[["part_id", "quality"]].assign(materiel="x", label="good"))
    made = own_parts("label", "parts", "--data", file, *options)
    assert made.code in (1, 2)
    assert message in made.told
