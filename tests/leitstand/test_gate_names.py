"""Gates in words."""

from leitstand.gate_names import in_words
from leitstand.incident import Statement


def test_a_refused_challenger_is_told_in_words_with_the_names_behind_them() -> None:
    said = Statement.of("maintenance.gates_failed", version=7, gates="champion, slice:site=north, criterion:mae")
    assert said.render("de") == (
        "Herausforderer 7 hat nicht bestanden: besser als das Modell in Betrieb (champion), gut genug bei site = north (slice:site=north), "
        "Ziel für mae (criterion:mae)."
    )
    assert said.render("en").startswith(
        "Challenger 7 did not pass: better than the model in charge (champion), good enough where site = north"
    )


def test_what_is_no_name_of_a_gate_stays_as_it_is() -> None:
    assert in_words("slice:site=A, B, of old", "en") == "good enough where site = A (slice:site=A), B, of old"


def test_every_gate_of_a_judgement_has_words() -> None:
    for name in (
        "criterion:mae",
        "baseline",
        "needs_ai",
        "champion",
        "trust",
        "stability",
        "latency",
        "slice:a=b",
        "champion_slice:a=b",
    ):
        assert in_words(name, "de") != name


def test_figures_of_a_sentence_are_written_as_the_language_writes_them() -> None:
    said = Statement.of(
        "maintenance.predecessor_better",
        version=3,
        before=2,
        metric="mae",
        rows=1200,
        gain=-1234.5,
        low=-0.00012,
        high=float("nan"),
    )
    assert "mae −1234 (95 %: −0,00012 bis –)" in said.render("de")
    assert "mae −1234 (95 %: −0.00012 to –)" in said.render("en")
    assert "1200" in said.render("de")
