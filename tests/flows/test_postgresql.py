"""The whole path with all three databases on PostgreSQL: MLflow, Prefect and the prediction log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from workshop import Workshop

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]


@contextmanager
def away(url: str) -> Iterator[None]:
    """Let nobody reach a database, as while its server is started anew."""
    place, _, name = url.rpartition("/")
    with psycopg.connect(f"{place}/postgres", autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # type: ignore[arg-type]


def test_a_run_keeps_everything_on_postgresql(postgresql_url: str, prefect_url: str, tmp_path: Path) -> None:
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
    _comes_back(workshop, postgresql_url, prefect_url)


def _comes_back(workshop: Workshop, url: str, prefect_url: str) -> None:
    """A pass of the loop while the database is away says so; the next one is clean."""
    workshop.environment["LEITSTAND_PREFECT_URL"] = prefect_url
    with away(url):
        made = workshop("maintain", "parts")
    assert made.code == 1
    assert "cannot be opened" in made.told
    assert "whether the server runs" in made.told
    assert "Traceback" not in made.stderr
    assert "secret-of-the-plant" not in made.stdout + made.stderr
    assert workshop.done("maintain", "parts", "--json").document["acted"] == "none"
    assert workshop.state("parts")["history"] == [("promote", 1)]
