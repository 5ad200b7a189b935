"""The standing services as a company has them: real processes, killed one after the other."""

import os
import shutil
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from workshop import Workshop

from infra.locks import project_lock
from infra.settings import load_settings
from infra.supervision import log_file

from .conftest import Plant

pytestmark = pytest.mark.slow


def test_status_shows_every_service_and_the_next_run(plant: Plant) -> None:
    status = plant.status()
    assert [(one["service"], one["state"], one["restarts"]) for one in status["services"]] == [
        ("prefect", "ready", 0),
        ("mlflow", "ready", 0),
        ("worker", "ready", 0),
        ("service", "ready", 0),
    ]
    assert all(one["memory_mb"] > 20 and one["uptime_seconds"] > 0 for one in status["services"])
    assert all(one["url"].startswith("http://127.0.0.1:") for one in status["services"] if one["service"] != "worker")
    (coming,) = plant.until(lambda: plant.status()["next_runs"])
    assert (coming["project"], coming["time"][4:16]) == ("parts", "-01-01T02:00")  # three o'clock in Berlin


def test_up_twice_says_that_they_run_already(plant: Plant) -> None:
    second = plant.workshop("up", "--detach", "--port", "0", "--prefect-port", "0", "--mlflow-port", "0")
    assert second.code == 1
    assert "running already" in second.told
    assert plant.status()["services"][0]["restarts"] == 0


def test_the_service_answers_for_every_champion(plant: Plant) -> None:
    url = plant.status()["services"][3]["url"]
    assert list(httpx.get(f"{url}/readyz", trust_env=False).json()["projects"]) == ["parts"]


@pytest.mark.parametrize("service", [0, 1], ids=["prefect", "mlflow"])
def test_a_page_elsewhere_gets_nothing_from_the_servers_that_ask_for_no_key(plant: Plant, service: int) -> None:
    url, path = plant.status()["services"][service]["url"], ("/api/health", "/api/2.0/mlflow/experiments/search")[service]
    renamed = httpx.get(f"{url}{path}", headers={"Host": "attacker.example"}, trust_env=False)
    assert renamed.status_code in (400, 403)
    crossed = httpx.get(f"{url}{path}", headers={"Origin": "https://attacker.example"}, trust_env=False)
    assert "access-control-allow-origin" not in crossed.headers


def test_a_run_on_the_command_line_is_told_to_the_standing_server(plant: Plant) -> None:
    plant.workshop.done("maintain", "parts", "--dry-run", "--json")
    names = {run["parameters"].get("who") for run in plant.post("flow_runs/filter", sort="ID_DESC")}
    assert names - {None, "schedule"}


def test_a_planned_run_looks_after_the_project(plant: Plant) -> None:
    run = plant.outcome(plant.trigger("parts"))
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Completed")
    assert run["state"]["message"]
    plant.until(lambda: "code 0" in plant.workshop.done("logs", "worker").told)


def test_a_project_that_is_worked_on_is_skipped(plant: Plant) -> None:
    with project_lock(load_settings(home=plant.workshop.home), "parts"):
        run = plant.outcome(plant.trigger("parts"))
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Skipped")
    assert str(os.getpid()) in run["state"]["message"]


def test_of_runs_that_were_missed_only_the_latest_is_done(plant: Plant) -> None:
    worker = plant.pids()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        runs = [plant.trigger("parts") for _ in range(3)]
    finally:
        os.kill(worker, signal.SIGCONT)
    assert [plant.outcome(run)["state_name"] for run in runs] == ["Missed", "Missed", "Completed"]


def test_changed_new_and_removed_specs_take_effect_at_once(plant: Plant) -> None:
    work = plant.workshop.work
    plant.workshop.edit("parts", maintenance={"schedule": {"cron": "30 4 * * 1", "time_zone": "UTC"}})
    plant.until(lambda: plant.deployments()["parts"]["schedules"][0]["schedule"]["cron"] == "30 4 * * 1")
    plant.until(lambda: [run["time"][10:16] for run in plant.status()["next_runs"]] == ["T04:30"])
    month = 1 + (datetime.now(UTC).month + 7) % 12  # further away than Prefect plans
    plant.workshop.edit("parts", maintenance={"schedule": {"cron": f"30 6 1 {month} *", "time_zone": "UTC"}})
    plant.until(lambda: [run["time"][4:16] for run in plant.status()["next_runs"]] == [f"-{month:02}-01T06:30"])
    plant.workshop.edit("parts", maintenance={"schedule": {"cron": "30 4 * * 1", "time_zone": "UTC"}})
    _copy_project(plant.workshop, "parts", "copied")
    plant.until(lambda: "copied" in plant.deployments())
    (work / "projects" / "parts" / "project.yaml").write_text("maintenance: [", encoding="utf-8")  # somebody is editing
    shutil.rmtree(work / "projects" / "copied")
    plant.until(lambda: list(plant.deployments()) == ["parts"])
    plant.kill(plant.pids()["worker"])  # the next one has never read the file whole
    plant.ready()
    assert list(plant.deployments()) == ["parts"]
    told = plant.workshop("status", "--language", "de").told
    assert "Der Zeitplan von parts bleibt, wie er war" in told
    assert str(work / "projects" / "parts" / "project.yaml") in told.replace("\n", "")
    shutil.copy(work / "kept.yaml", work / "projects" / "parts" / "project.yaml")


def test_a_run_that_crashes_harms_nothing_but_itself(plant: Plant) -> None:
    before = plant.pids()
    run = plant.trigger("parts")
    plant.kill(plant.until(lambda: plant.running_runs()[0]))
    assert plant.outcome(run)["state_type"] == "CRASHED"
    assert "crashed" in plant.until(
        lambda: plant.workshop("incidents", "--json").document and plant.workshop("incidents", "--json").stdout
    )
    assert plant.outcome(plant.trigger("parts"))["state_type"] == "COMPLETED"
    assert plant.pids() == before


def test_killed_services_come_back_and_take_none_of_the_others_with_them(plant: Plant) -> None:
    before, restarts = plant.pids(), [one["restarts"] for one in plant.status()["services"]]
    for service in ("mlflow", "service", "prefect", "worker"):
        plant.kill(before[service])
    after = plant.ready()["services"]
    assert [one["restarts"] for one in after] == [count + 1 for count in restarts]
    assert not {one["pid"] for one in after} & set(before.values())
    assert plant.outcome(plant.trigger("parts"))["state_type"] == "COMPLETED"


def test_a_killed_supervisor_comes_back_with_everything(plant: Plant) -> None:
    before = plant.status()
    plant.kill(before["supervisor"])
    plant.until(lambda: plant.status()["supervisor"] not in (None, before["supervisor"]))
    after = plant.ready()
    assert not {one["pid"] for one in after["services"]} & {one["pid"] for one in before["services"]}
    assert [one["url"] for one in after["services"]] == [one["url"] for one in before["services"]]
    assert plant.outcome(plant.trigger("parts"))["state_type"] == "COMPLETED"


def test_down_leaves_nothing_running(plant: Plant) -> None:
    assert plant.workshop.done("down", "--json").document == {"ended": True}
    assert plant.workshop.processes() == []
    assert plant.workshop("status", "--json").code == 1
    assert plant.workshop.done("down", "--json").document == {"ended": False}


def test_a_taken_port_is_told_and_nothing_is_started(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = workshop("up", "--detach", "--port", "0", "--prefect-port", "0", "--mlflow-port", port)
    assert refused.code == 1
    assert f"Port {port} on 127.0.0.1 is taken" in refused.told
    assert workshop.processes() == []
    assert not (workshop.home / "standing" / "plan.json").exists()


def test_logs_of_an_unknown_service_are_refused(tmp_path: Path) -> None:
    assert "did you mean" in Workshop(tmp_path)("logs", "workr").told.lower()


def test_logs_are_rotated(plant: Plant) -> None:
    configuration = (plant.workshop.home / "standing" / "supervisord.conf").read_text(encoding="utf-8")
    assert configuration.count("stdout_logfile_maxbytes=10000000") == 5
    assert log_file(load_settings(home=plant.workshop.home), "worker").exists()


def _copy_project(workshop: Workshop, name: str, copy: str) -> None:
    folder = workshop.work / "projects"
    shutil.copytree(folder / name, folder / copy)
    file = folder / copy / "project.yaml"
    shutil.copy(file, workshop.work / "kept.yaml")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f"project: {name}\n", f"project: {copy}\n"), encoding="utf-8")
