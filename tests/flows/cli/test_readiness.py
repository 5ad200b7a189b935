"""The readiness questionnaire from the command line."""

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from workshop import Outcome, Workshop

from leitstand.questionnaire import questionnaire

QUESTIONS = list(questionnaire().questions)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch, workshop: Workshop):
    """Answer the questions of ``roadmap readiness`` with these lines; then the input ends."""

    def answer(*lines: object, options: tuple[str, ...] = ()) -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return workshop("roadmap", "readiness", "--ask", *options)

    return answer


def stored(workshop: Workshop) -> dict[str, int | None]:
    content = yaml.safe_load((workshop.work / "readiness.yaml").read_text(encoding="utf-8"))
    return content["answers"]


def fill(workshop: Workshop, level: int = 2) -> Path:
    path = workshop.work / "readiness.yaml"
    path.write_text(yaml.safe_dump({"answers": dict.fromkeys(QUESTIONS, level)}), encoding="utf-8")
    return path


def test_an_interrupted_questionnaire_goes_on_where_it_stopped(workshop: Workshop, typing) -> None:
    first = typing(3, 9, "two", 2, "q")
    assert first.code == 0
    assert "'9' is not one of 0, 1, 2, 3, 4" in first.told
    assert "Questions still open: 16" in first.told
    assert [name for name, level in stored(workshop).items() if level is not None] == QUESTIONS[:2]
    second = typing(*[2] * 16)
    assert second.code == 0
    assert stored(workshop) == {**dict.fromkeys(QUESTIONS, 2), QUESTIONS[0]: 3}
    assert "Strategy: Pragmatic" in second.told
    assert "1/16" in second.told


def test_the_end_of_the_input_loses_no_answer(workshop: Workshop, typing) -> None:
    assert typing(4).code == 0
    assert stored(workshop)[QUESTIONS[0]] == 4


def test_ctrl_c_stops_like_q_and_loses_no_answer(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.StringIO):
        def readline(self, size: int = -1) -> str:
            line = super().readline(size)
            if not line:
                raise KeyboardInterrupt
            return line

    monkeypatch.setattr("sys.stdin", Interrupted("4\n"))
    told = workshop("roadmap", "readiness", "--ask")
    assert (told.code, stored(workshop)[QUESTIONS[0]]) == (0, 4)
    assert "Questions still open: 17" in told.told


def test_asking_again_keeps_what_enter_leaves_and_all_that_people_wrote(workshop: Workshop, typing) -> None:
    path = fill(workshop)
    path.write_text("# ours\n" + path.read_text() + "notes:\n  goals: since spring # by hand\n", encoding="utf-8")
    typing("", 4, "q", options=("--again",))
    text = path.read_text(encoding="utf-8")
    assert "# ours" in text
    assert "goals: since spring # by hand" in text
    assert stored(workshop) == {**dict.fromkeys(QUESTIONS, 2), QUESTIONS[1]: 4}


def test_the_form_tells_every_question_with_its_levels_and_is_never_overwritten(workshop: Workshop) -> None:
    assert workshop("roadmap", "readiness", "--form", "--language", "de").code == 0
    form = (workshop.work / "readiness.yaml").read_text(encoding="utf-8")
    for question in questionnaire().questions.values():
        assert f"# {question.ask.de}" in form
        assert all(f"{place}: {level.de}" in form for place, level in enumerate(question.levels))
    assert stored(workshop) == dict.fromkeys(QUESTIONS)
    again = workshop("roadmap", "readiness", "--form")
    assert again.code == 2
    assert "is there already and is kept" in again.told


def test_the_document_holds_score_strategy_steps_and_lifts(workshop: Workshop) -> None:
    fill(workshop)
    document = workshop.done("roadmap", "readiness", "--json", "--language", "de").document
    assert (document["total"], document["strategy"], document["next"]) == (50.0, "pragmatic", "adaptive")
    assert document["way"] == [{"question": "ai_use", "now": 2, "level": 3}]
    assert document["lifts"][0]["strategy"] == "adaptive"
    assert document["steps"][1] == "Kleine Projektteams bilden."


def test_the_picture_is_one_file_that_names_nothing_outside(workshop: Workshop) -> None:
    fill(workshop)
    picture = workshop.folder / "pictures" / "readiness.svg"
    workshop.done("roadmap", "readiness", "--picture", picture, "--json")
    root = ElementTree.parse(picture).getroot()
    assert root.tag.endswith("svg")
    references = [value for node in root.iter() for name, value in node.attrib.items() if name.endswith("href")]
    assert all(value.startswith("#") for value in references)
    first = picture.read_bytes()
    workshop.done("roadmap", "readiness", "--picture", picture, "--json")
    assert picture.read_bytes() == first


def test_a_picture_of_another_kind_is_refused_before_anything_is_asked(workshop: Workshop, typing) -> None:
    refused = typing(3, options=("--picture", "readiness.png"))
    assert refused.code == 2
    assert "readiness.png does not end in .svg" in refused.told
    assert not (workshop.work / "readiness.yaml").exists()


def test_missing_and_illegal_answers_are_named_without_a_traceback(workshop: Workshop) -> None:
    none = workshop("roadmap", "readiness", "--json")
    assert none.code == 2
    assert "There are no answers on readiness yet" in none.document["error"]["message"]
    path = fill(workshop)
    path.write_text(path.read_text().replace("goals: 2", "goals: 7"), encoding="utf-8")
    wrong = workshop("roadmap", "readiness", "--language", "de")
    assert wrong.code == 1
    assert "'goals' hat die Antwort 7" in wrong.told
    assert "1 = Es gibt Ziele in Worten." in wrong.told
    path.write_text("answers: {goals: 1}\n", encoding="utf-8")
    assert "17 of 18 questions have no answer yet" in workshop("roadmap", "readiness").told


def test_contradicting_answers_are_told_and_count_all_the_same(workshop: Workshop) -> None:
    path = fill(workshop, level=3)
    path.write_text(path.read_text().replace("model_operation: 3", "model_operation: 0"), encoding="utf-8")
    told = workshop.done("roadmap", "readiness", "--language", "de").told
    assert "Diese Antworten passen kaum zusammen (ai_use 3, model_operation 0): KI soll im Einsatz sein" in told
    assert "Strategie: Adaptiv" in told


def test_a_key_that_stands_twice_is_an_error_before_anything_is_written(workshop: Workshop, typing) -> None:
    path = workshop.work / "readiness.yaml"
    path.write_text("answers:\n  goals: 1\n  goals: 2\n", encoding="utf-8")
    told = typing(3)
    assert told.code == 1
    assert "is not readable YAML" in told.told
    assert path.read_text() == "answers:\n  goals: 1\n  goals: 2\n"
