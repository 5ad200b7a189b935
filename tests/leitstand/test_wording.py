from dataclasses import replace

import pytest
from builders import parts, project

from leitstand.contract import Bilingual, Column, Contract
from leitstand.explanation import Contribution, Explanation
from leitstand.figures import figure
from leitstand.project import Project
from leitstand.texts import LANGUAGES
from leitstand.wording import in_words, unit_in_words

COLUMNS = (
    Column(
        name="vibration",
        type="number",
        unit="mm/s",
        description=Bilingual(de="Schwingung am Lager", en="Vibration at the bearing"),
    ),
    Column(name="oiled", type="boolean"),
    Column(name="lot", type="integer", description=Bilingual(de="Los: Nummer; laufend", en="Lot: number; running")),
    Column(name="line", type="string"),
    Column(name="speed", type="number", unit="1/min"),
    Column(name="age", type="number", unit="h"),
    Column(name="quality", type="string"),
)
RISK = Explanation(
    answer="bad",
    quantity="probability",
    subject="bad",
    unit=None,
    base=0.2107,
    prediction=0.8307,
    contributions=(
        Contribution("vibration", 4.2, 0.4),
        Contribution("lot", 20260131, 0.2),
        Contribution("oiled", False, -0.1),
        Contribution("line", None, 0.1),
        Contribution("speed", 1500.0, 0.015),
        Contribution("age", 0.25, 0.005),
    ),
    method="permutation_shap",
    evaluations=1800,
    standard_error=0.00316,
    background_rows=100,
    outside=("vibration", "age"),
)


@pytest.fixture
def made() -> Project:
    plain = project(parts())
    return Project(plain.spec, Contract(id="p", table="p", columns=COLUMNS), plain.folder, plain.functions)


def test_a_risk_is_told_in_german(made: Project) -> None:
    assert in_words(RISK, made, "de") == [
        "Das Modell gibt „bad“ eine Wahrscheinlichkeit von 83,1 %; im Mittel über 100 Vergleichszeilen sind es 21,1 %.",
        "Am meisten zählt: Schwingung am Lager (vibration) = 4,2 mm/s erhöht die Wahrscheinlichkeit um 40 Prozentpunkte.",
        "Danach folgen lot = 20260131 (+20 Prozentpunkte), oiled = nein (−10 Prozentpunkte), line (fehlt) (+10 Prozentpunkte); "
        "die übrigen 2 Spalten ergeben zusammen +2 Prozentpunkte.",
        "Außerhalb des im Training gesehenen Bereichs: vibration, age. Dort sind Antwort und Erklärung weniger verlässlich.",
        "Die Beiträge sind Shapley-Werte, geschätzt aus 1800 Antworten des Modells, mit einem typischen Fehler von je "
        "0,32 Prozentpunkten; zusammen ergeben sie den Abstand vom Mittel. Sie beschreiben das Modell, nicht die Ursachen.",
    ]


def test_a_risk_is_told_in_english(made: Project) -> None:
    told = in_words(replace(RISK, outside=(), method="exact_shap", standard_error=None), made, "en")
    assert told == [
        "The model gives 'bad' a probability of 83.1%; over 100 comparison rows it is 21.1% on average.",
        "What matters most: Vibration at the bearing (vibration) = 4.2 mm/s raises the probability by 40 percentage points.",
        "Then come lot = 20260131 (+20 percentage points), oiled = no (−10 percentage points), line (missing) (+10 percentage points); "
        "the other 2 columns come to +2 percentage points together.",
        "The contributions are exact Shapley values and add up to the difference from the average. They describe the model, not causes.",
    ]


def test_a_number_is_told_in_its_unit(made: Project) -> None:
    viscosity = replace(
        RISK,
        quantity="target",
        subject="viscosity",
        unit="mPa·s",
        base=6927.4,
        prediction=6810.0,
        contributions=(Contribution("speed", 113.8, -117.4, looks_back=True),),
        outside=(),
        method="tree_shap",
    )
    assert in_words(viscosity, made, "de")[:2] == [
        "Das Modell sagt für viscosity 6810 mPa·s vorher; im Mittel über 100 Vergleichszeilen sind es 6927 mPa·s.",
        "Am meisten zählt: speed = 113,8 1/min mitsamt dem Verlauf davor senkt die Vorhersage um 117 mPa·s.",
    ]
    assert unit_in_words(viscosity, "de") == "viscosity in mPa·s"
    assert unit_in_words(replace(viscosity, unit=None), "en") == "viscosity"


def test_an_anomaly_is_told_beside_its_threshold(made: Project) -> None:
    odd = replace(RISK, quantity="anomaly_score", subject="quality", threshold=1.2, base=0.6, prediction=1.87)
    assert in_words(odd, made, "en")[0] == (
        "The anomaly score is 1.87, and the alarm begins above 1.2; over 100 normal comparison rows the score is 0.6 on average."
    )
    assert in_words(odd, made, "de")[1].endswith("erhöht den Anomaliewert um 0,4.")
    assert in_words(replace(odd, threshold=None), made, "de")[0].startswith("Der Anomaliewert beträgt 1,87; im Mittel")


def test_where_nothing_moves_the_answer_that_is_said(made: Project) -> None:
    still = replace(RISK, contributions=(Contribution("speed", 1.0, 0.0),), base=0.5, prediction=0.5, outside=())
    assert in_words(still, made, "en")[1] == "No column moves this answer away from the average."


@pytest.mark.parametrize(("count", "named"), [(1, 0), (2, 1), (4, 3), (5, 4), (6, 3)])
def test_a_single_column_is_never_left_over(made: Project, count: int, named: int) -> None:
    told = in_words(replace(RISK, contributions=RISK.contributions[:count], outside=()), made, "en")
    assert sum(sentence.count("percentage point") for sentence in told[2:-1]) == named + (count == 6)
    assert ("other" in "".join(told[2:-1])) == (count == 6)


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(0.99996, "more than 99.99%"), (0.00002, "less than 0.01%"), (0.9954, "99.54%"), (0.0042, "0.42%"), (0.5, "50%")],
)
def test_a_probability_is_never_rounded_to_certainty(made: Project, probability: float, shown: str) -> None:
    assert f"probability of {shown};" in in_words(replace(RISK, prediction=probability), made, "en")[0]


def test_one_point_is_singular_and_rough_samples_say_so(made: Project) -> None:
    one = replace(RISK, contributions=(Contribution("speed", 1.0, 0.01),), standard_error=None)
    assert in_words(one, made, "de")[1].endswith("um 1 Prozentpunkt.")
    assert "wegen der knappen Zeit grob geschätzt aus 1800 Antworten" in in_words(one, made, "de")[-1]
    assert "which all lead to the same result" in in_words(replace(one, standard_error=0.0), made, "en")[-1]


def test_every_explanation_takes_three_to_five_sentences(made: Project) -> None:
    for language in LANGUAGES:
        assert len(in_words(RISK, made, language)) == 5
        assert len(in_words(replace(RISK, contributions=RISK.contributions[:1], outside=()), made, language)) == 3


@pytest.mark.parametrize(
    ("value", "german", "english"),
    [(1234.56, "1235", "1235"), (0.0012345, "0,00123", "0.00123"), (-3.0, "−3", "−3"), (0.0, "0", "0"), (1e-9, "1,00e−09", "1.00e−09"),
     (99.96, "100", "100"), (1e20, "1,00e+20", "1.00e+20")],
)  # fmt: skip
def test_figures_have_the_decimal_sign_of_the_language(value: float, german: str, english: str) -> None:
    assert (figure(value, "de"), figure(value, "en")) == (german, english)
