"""The whole path with all three databases on PostgreSQL: MLflow, Prefect and the prediction log."""

from pathlib import Path

import psycopg
import pytest
from workshop import Workshop

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]


def test_a_run_keeps_everything_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.project()
    nobody = "http://127.0.0.1:9/api"  # so that a temporary Prefect server is started, on this database
    workshop.environment |= {"LEITSTAND_DATABASE_URL": postgresql_url, "LEITSTAND_PREFECT_URL": nobody}
    run = workshop.start("run", "parts", "--json")
    stdout, stderr = run.communicate(timeout=400)
    assert run.returncode == 0, stdout + stderr
    assert [path.name for path in workshop.home.glob("*.db")] == []
    with psycopg.connect(postgresql_url) as connection:

        def count(query: str) -> int:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
            assert row is not None
            return int(row[0])

        assert count("SELECT count(*) FROM mlflow.model_versions") == 1
        assert count("SELECT count(*) FROM leitstand_promotions") == 1
        assert count("SELECT count(*) FROM leitstand_labels") == 48
        assert count("SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'") >= 6
    assert "secret-of-the-plant" not in stdout + stderr
    assert workshop.state("parts")["history"] == [("promote", 1)]
    assert workshop.processes() == []
