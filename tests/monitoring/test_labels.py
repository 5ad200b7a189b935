from leitstand.policy import Monitoring
from monitoring.labels import labels_of
from monitoring.result import Labels

POLICY = Monitoring(label_delay_hours=24)
USUAL = [Labels(old_rows=100, labelled_rows=60), Labels(old_rows=100, labelled_rows=62)]


def test_labels_that_stay_away_are_late() -> None:
    found = labels_of(POLICY, 100, 3, USUAL)
    assert (found.late, found.usual, found.coverage) == (True, 0.61, 0.03)


def test_as_many_as_usual_are_not_late() -> None:
    assert not labels_of(POLICY, 100, 52, USUAL).late


def test_a_project_that_never_had_labels_does_not_wait_for_them() -> None:
    never = [Labels(old_rows=100, labelled_rows=0)] * 5
    assert not labels_of(POLICY, 100, 0, never).late


def test_nothing_is_usual_before_there_were_looks() -> None:
    found = labels_of(POLICY, 100, 0, USUAL[:1])
    assert (found.late, found.usual) == (False, None)


def test_being_late_for_long_does_not_become_usual() -> None:
    late = [Labels(old_rows=100, labelled_rows=0, late=True)] * 50
    assert labels_of(POLICY, 100, 0, [*USUAL, *late]).late


def test_a_few_old_predictions_say_nothing() -> None:
    assert not labels_of(POLICY, 5, 0, USUAL).late
