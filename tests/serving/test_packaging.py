"""Packages: what is in them, and that they are served where nothing but their own requirements can be imported."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from own_stage import row
from workshop import Workshop

from data_contracts.odcs import read_contract, write_contract
from infra.ports import reserve_port
from infra.releases import MODEL_FOLDER, Releases
from infra.settings import Settings
from leitstand.errors import ModelError, ProjectError, TamperedModel, UnknownName, UsageError
from leitstand.folders import find_projects, locate
from leitstand.model_file import MODEL_FILE
from leitstand.spec import load_spec
from serving.client import as_rows
from serving.packaging import Package, package
from serving.packaging.bento import check_output
from serving.packaging.copying import copy_folder
from serving.packaging.requirements import TOOLS, Pin, is_hashed, pins, requirements_text
from serving.packaging.sources import CODE, sources
from serving.packaging.travelling import travelling, travelling_text

OURS = Path(__file__)
REQUIREMENTS = "src/requirements.txt"
ONLY_REQUIREMENTS = '''
"""Hide whatever is not among the requirements of the package, and the checkout that the tests run in."""

import sys
from importlib.metadata import packages_distributions

ALLOWED = {allowed!r}
OWN = {{"leitstand", "infra", "data_contracts", "serving"}}
HIDDEN = {{
    module
    for module, libraries in packages_distributions().items()
    if module not in OWN and not {{library.lower().replace("_", "-").replace(".", "-") for library in libraries}} & ALLOWED
}}


class Hider:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{{name}} is not among the requirements", name=name)


sys.meta_path.insert(0, Hider())
sys.path[:] = [path for path in sys.path if path != {checkout!r}]
'''


@pytest.fixture(scope="module")
def place(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the stage: its projects get machines' names that are personal data."""
    root = tmp_path_factory.mktemp("packaging")
    shutil.copytree(stage.settings.root, root / "home")
    for compiled in (root / "home" / "releases").glob("*/*/compiled"):  # by a test before, without the rows that are added below
        shutil.rmtree(compiled)
    shutil.copytree(stage.settings.workspace, root / "work")
    contract = root / "work" / "data_contracts" / "line.odcs.yaml"
    columns = [
        one.model_copy(update={"personal_data": "personal"}) if one.name == "machine" else one
        for one in read_contract(contract).columns
    ]
    write_contract(read_contract(contract).model_copy(update={"columns": tuple(columns)}), contract)
    spec = root / "work" / "projects" / "cells" / "project.yaml"
    content = yaml.safe_load(spec.read_text(encoding="utf-8"))
    erp = {"database": "postgresql://anna:geheim123@erp/plant", "table": "cells"}
    content["data"]["sources"] |= {"erp": erp, "share": {"file": "/srv/geheim123/cells.csv"}}
    content["data"]["incoming"] = erp | {"key": "nr", "folder": "/srv/geheim123", "api": True}
    content["when_it_errs"] = {"contact": "the shift", "notify": ["json://anna:geheim123@chat"]}
    spec.write_text("# was anna:geheim123@old\n" + yaml.safe_dump(content), encoding="utf-8")
    for name, file in (("cells", "holdout.parquet"), ("cells", "reference.parquet"), ("line", "reference.parquet")):
        stage.frames[name].head(50).to_parquet(root / "home" / "releases" / name / "1" / file)
    return Settings(home=root / "home", workspace=root / "work")


@pytest.fixture(scope="module")
def made(place: Settings) -> Package:
    """A package of three projects with all that goes into one; ``sounds`` has no rows, and those of ``line`` are personal."""
    output = place.root.parent / "out" / "several"
    return package(["cells", "line", "sounds"], place, output=output, containerfile=True, explain=True)


@contextmanager
def served(folder: Path, scratch: Path, **environment: str) -> Iterator[httpx.Client]:
    """Serve a package with its own requirements only."""
    hider = scratch / "hider"
    hider.mkdir()
    allowed = set(re.findall(r"^([a-z0-9-]+)==", (folder / REQUIREMENTS).read_text(encoding="utf-8"), re.MULTILINE))
    (hider / "sitecustomize.py").write_text(ONLY_REQUIREMENTS.format(allowed=allowed, checkout=str(CODE)), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEITSTAND_")}
    port = str(reserve_port())
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "bentoml", "serve", ".", "--host", "127.0.0.1", "--port", port],
        cwd=folder,
        env=kept
        | {"PYTHONPATH": str(hider), "BENTOML_HOME": str(scratch / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        with httpx.Client(base_url=_url(process), trust_env=False, timeout=60) as http:
            yield http
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def _url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Service leitstand initialized" in line:
            found = re.search(r"listening on (http://\S+)", said)
            assert found is not None
            return found[1]
    raise AssertionError(said)


def test_only_modules_that_the_service_imports_are_packed() -> None:
    files = {path.as_posix() for path in sources([]).files}
    assert {
        "serving/service.py",
        "serving/app.py",
        "infra/packaged.py",
        "leitstand/texts/serving.yaml",
        "serving/assets/page.js",
    } <= files
    training = ("infra/registry.py", "infra/tracking.py", "infra/snapshots.py", "data_contracts/checking.py", "serving/batch.py")
    assert not files & {*training, "serving/launch.py", "serving/packaging/__init__.py", "serving/compiling/__init__.py"}
    assert not [name for name in files if name.startswith(("flows", "monitoring", "projects")) or name.endswith(".odcs.yaml")]


def test_imports_for_type_checkers_are_not_needed(tmp_path: Path) -> None:
    model = tmp_path / "model.py"
    model.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mlflow\nelse:\n    import joblib\n"
        "def features(frame, parameters):\n    from lightgbm.sklearn import LGBMRegressor\n",
        encoding="utf-8",
    )
    imports = sources([model]).imports
    assert imports["joblib"] == imports["lightgbm"] == model
    assert "mlflow" not in imports


def test_requirements_are_what_is_installed_and_hold_no_tools() -> None:
    imports = sources([]).imports
    slim = pins(imports, explaining=False)
    names = {pin.name for pin in slim}
    assert not names & {*TOOLS, "shap", "numba", "pyarrow", "skl2onnx", "onnx", "typer"}
    assert {"bentoml", "onnxruntime", "scikit-learn", "sqlalchemy", "psycopg-binary", "uvloop", "httptools"} <= names
    explaining = {pin.name for pin in pins(imports, explaining=True)}
    assert explaining - names >= {"shap", "numba", "pyarrow"}
    assert is_hashed(slim)


def test_a_requirements_file_has_hashes_for_all_or_for_none(tmp_path: Path) -> None:
    known, unknown = Pin("a", "1", ("sha256:00", "sha256:11")), Pin("b", "2")
    assert requirements_text([known]) == "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
    assert requirements_text([known, unknown]) == "a==1\nb==2\n"
    without = pins({"numpy": OURS}, explaining=False, lock=tmp_path / "none.lock")
    assert "--hash" not in requirements_text(without)


def test_a_model_that_imports_a_training_tool_is_refused() -> None:
    with pytest.raises(ProjectError, match=r"test_packaging.py brings 'mlflow' along"):
        pins({"numpy": Path("other.py"), "mlflow": OURS}, explaining=False)


def test_a_library_that_is_not_installed_is_named() -> None:
    with pytest.raises(ProjectError, match=r"test_packaging.py imports 'lightgbm', which is not installed"):
        pins({"lightgbm": OURS}, explaining=False)


def test_nothing_but_packages_is_overwritten(tmp_path: Path) -> None:
    folder, archive = tmp_path / "folder", tmp_path / "one.bento"
    check_output(folder, overwrite=False)
    folder.mkdir()
    check_output(folder, overwrite=False)
    (folder / "thesis.txt").touch()
    archive.touch()
    with pytest.raises(UsageError, match="exists already"):
        check_output(folder, overwrite=False)
    with pytest.raises(UsageError, match="is no package"):
        check_output(folder, overwrite=True)
    with pytest.raises(UsageError, match="exists already"):
        check_output(archive, overwrite=False)
    check_output(archive, overwrite=True)


def test_copying_stops_at_the_first_file_that_cannot_be_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / name).symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="/source/a'"):
        copy_folder(source, target)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("cell", UnknownName, "cells"),
        ("untrained", ModelError, "has no champion yet"),
        ("tampered", TamperedModel, "expected"),
    ],
)
def test_what_cannot_be_served_is_not_packed(place: Settings, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        package([name], place, output=place.root.parent / "out" / name)
    assert not (place.root.parent / "out" / name).exists()


@pytest.mark.slow
def test_a_missing_release_is_named(place: Settings, tmp_path: Path) -> None:
    shutil.copytree(place.root, tmp_path / "home")
    lost = Settings(home=tmp_path / "home", workspace=place.workspace, mlflow_url="http://127.0.0.1:9")
    shutil.rmtree(Releases(lost).folder("numbers", 1))
    with pytest.raises(ModelError, match="Version 1 of numbers is the champion, but its release is neither in"):
        package(["numbers"], lost)


@pytest.mark.slow
def test_a_package_holds_what_answers_and_no_more(made: Package, place: Settings) -> None:
    releases = made.path / "src" / "releases"
    assert json.loads((releases / "champions.json").read_text(encoding="utf-8")) == {"cells": 1, "line": 1, "sounds": 1}
    assert {file.name for file in (made.path / "src" / "projects" / "line").iterdir()} == {"project.yaml", "model.py"}
    assert {file.name for file in (made.path / "src" / "data_contracts").glob("*.yaml")} == {
        f"{name}.odcs.yaml" for name in ("cells", "line", "sounds")
    }
    assert (releases / "cells" / "1" / "compiled" / "model.onnx").is_file()
    shutil.copyfile(place.root / "releases" / "cells" / "1" / MODEL_FOLDER / MODEL_FILE, made.path.parent / "same.skops")
    packed = releases / "cells" / "1" / MODEL_FOLDER / MODEL_FILE
    assert packed.read_bytes() == (made.path.parent / "same.skops").read_bytes()
    assert made.size == sum(file.stat().st_size for file in made.path.rglob("*") if file.is_file()) < 5e6


@pytest.mark.slow
def test_no_password_and_no_place_of_data_leaves_with_a_package(made: Package, place: Settings) -> None:
    assert b"geheim123" in (place.workspace / "projects" / "cells" / "project.yaml").read_bytes()
    for file in (file for file in made.path.rglob("*") if file.is_file()):
        assert b"geheim123" not in file.read_bytes(), file
        assert os.fsencode(place.workspace) not in file.read_bytes(), file


@pytest.mark.parametrize("name", sorted(find_projects(Settings().roots)))
def test_what_travels_of_a_project_reads_as_the_same_but_for_places(name: str, tmp_path: Path) -> None:
    spec = load_spec(locate(name, Settings().roots) / "project.yaml")
    (tmp_path / "project.yaml").write_text(travelling_text(spec), encoding="utf-8")
    read = load_spec(tmp_path / "project.yaml")
    assert read == travelling(spec)
    data = read.data.model_copy(update={"sources": spec.data.sources, "incoming": spec.data.incoming})
    assert read.model_copy(update={"data": data, "when_it_errs": spec.when_it_errs}) == spec


@pytest.mark.slow
def test_rows_go_along_only_where_no_data_are_personal(made: Package, place: Settings) -> None:
    assert made.with_rows == ("cells",)
    assert {file.parent.parent.name for file in made.path.rglob("*.parquet")} == {"cells"}
    plain = package(["cells"], place, output=made.path.parent / "plain")
    assert list(plain.path.rglob("*.parquet")) == []


@pytest.mark.slow
def test_a_package_says_nothing_about_the_machine_it_was_made_on(made: Package, place: Settings) -> None:
    machine = [str(path).encode() for path in (place.root.parent, CODE, Path.home(), Path(sys.prefix))]
    own = {path for path in made.path.rglob("*") if path.is_file()}
    assert [path for path in own if any(place in path.read_bytes() for place in machine)] == []
    asked = (made.path / REQUIREMENTS).read_text(encoding="utf-8") + (made.path / "env/python/requirements.txt").read_text(
        "utf-8"
    )
    assert "://" not in asked
    assert "--index" not in asked


@pytest.mark.slow
def test_the_dockerfile_runs_as_nobody_in_particular_and_knows_its_health(made: Package) -> None:
    text = (made.path / "env/docker/Dockerfile").read_text(encoding="utf-8")
    assert (made.path / "Containerfile").read_text(encoding="utf-8") == text
    steps = [line.split(" ", 1) for line in re.sub(r"\\\n\s*", "", text).splitlines() if line and not line.startswith("#")]
    known = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    said = dict(steps)
    assert said.keys() == known
    assert said["FROM"] == f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    assert (said["USER"], said["VOLUME"], said["EXPOSE"]) == ("leitstand", "/var/lib/leitstand", "3000")
    assert [name for name, _ in steps].index("USER") > max(i for i, (name, _) in enumerate(steps) if name in ("RUN", "COPY"))
    health = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    assert "/livez" in compile_and_return(health[2])
    assert json.loads(said["ENTRYPOINT"])[:2] == ["bentoml", "serve"]
    copied = [source for name, rest in steps if name == "COPY" for source in rest.split()[:-1]]
    assert all((made.path / source).exists() for source in copied)
    assert "pip install --no-deps --require-hashes -r requirements.txt" in text


def compile_and_return(code: str) -> str:
    """Return Python code that can be run."""
    compile(code, "healthcheck", "exec")
    return code


@pytest.mark.slow
def test_bentoml_finds_what_it_needs_for_a_container(made: Package, place: Settings) -> None:
    find = (
        "import sys, bentoml\nfrom bentoml._internal.container import construct_containerfile\n"
        "with construct_containerfile(bentoml.get(sys.argv[1]), enable_buildkit=False) as (folder, file):\n"
        "    print(open(file).read())"
    )
    environment = os.environ | {"BENTOML_HOME": str(place.root / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    found = subprocess.run(
        [sys.executable, "-c", find, made.tag], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == (made.path / "env/docker/Dockerfile").read_text(encoding="utf-8").strip()


@pytest.mark.slow
def test_the_readme_is_in_both_languages(made: Package) -> None:
    text = (made.path / "README.md").read_text(encoding="utf-8")
    assert "# leitstand\n" in text
    assert "# leitstand (deutsch)\n" in text
    assert text.count("venv/bin/pip install --no-deps --require-hashes -r src/requirements.txt") == 2
    assert "`line` version 1: Case line" in text
    assert "`line` Version 1: Fall line" in text


@pytest.mark.slow
def test_a_package_is_served_with_its_own_requirements_only(made: Package, stage: Any, tmp_path: Path) -> None:
    with served(made.path, tmp_path) as http:
        ready = http.get("/readyz").json()
        assert (ready["status"], set(ready["projects"])) == ("ready", {"cells", "line", "sounds"})
        for name in ("cells", "line"):
            rows = as_rows(stage.frames[name].head(20), stage.projects[name].input_contract)
            answer = http.post(f"/{name}/predict", json={"rows": rows}).json()
            expected = stage.models[name].predict(stage.projects[name], stage.frames[name].head(20))
            found = [one["prediction"] for one in answer["predictions"]]
            assert found == (pytest.approx(expected.value.tolist(), rel=1e-6) if name == "line" else expected.value.tolist())
            first = answer["predictions"][0]
            label = {"labels": [{"id": first["id"], "value": first["prediction"]}]}
            assert http.post(f"/{name}/feedback", json=label).json() == {"matched": 1, "unknown": []}
        sound = as_rows(stage.frames["sounds"].head(1), stage.projects["sounds"].input_contract)
        assert http.post("/sounds/predict", json={"rows": sound}).status_code == 200
        for name, path in (("cells", ""), ("line", "openapi.json"), ("sounds", "schema"), ("line", "model")):
            assert http.get(f"/{name}/{path}").status_code == 200
        explained = http.post(
            "/cells/explain", json={"rows": as_rows(stage.frames["cells"].head(1), stage.projects["cells"].input_contract)}
        )
        assert explained.json()["explanations"][0]["background_rows"] == 50
    state = made.path / "state"
    assert {file.name for file in state.glob("*.db")} == {"predictions.db", "keys.db"}
    assert not (made.path / "src" / ".leitstand").exists()


@pytest.mark.slow
def test_keys_are_made_where_only_the_package_is(made: Package, tmp_path: Path) -> None:
    home = {"LEITSTAND_HOME": str(tmp_path / "home")}
    grant = [sys.executable, "-m", "serving.grant"]
    source, environment = made.path / "src", os.environ | home

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*grant, *arguments], cwd=source, env=environment, capture_output=True, text=True, check=False)

    created = call("create", "shop", "--project", "cells", "--right", "read")
    key = created.stdout.splitlines()[1]
    assert key.startswith("lk_")
    refused = call("create", "shop", "--right", "read")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "has the key" in refused.stderr
    with served(made.path, tmp_path, **home) as http:
        bearer = {"Authorization": f"Bearer {key}"}
        missing = http.get("/cells/schema")
        assert (missing.status_code, "'python -m serving.grant create' makes one" in missing.json()["detail"]) == (401, True)
        assert http.get("/cells/schema", headers=bearer).status_code == 200
        assert http.get("/line/schema", headers=bearer).status_code == 403
    id_ = key.split("_")[1]
    assert call("list").stdout == f"{id_}  shop  active  cells:read\n"
    assert call("revoke", id_).returncode == 0
    assert "revoked" in call("list").stdout


@pytest.mark.slow
def test_the_log_is_cared_for_where_only_the_package_is(made: Package, tmp_path: Path, stage: Any) -> None:
    home = {"LEITSTAND_HOME": str(tmp_path / "home"), "LEITSTAND_LANGUAGE": "de"}
    asked = row(stage, "cells")
    column = next(name for name, value in asked.items() if isinstance(value, float))
    about = ("cells", "--column", column, "--value", str(asked[column]))

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "serving.records", *arguments]
        return subprocess.run(command, cwd=made.path / "src", env=os.environ | home, capture_output=True, text=True, check=False)

    with served(made.path, tmp_path, **home) as http:
        (answer,) = http.post("/cells/predict", json={"rows": [asked]}).json()["predictions"]
        (shown,) = call("show", *about).stdout.splitlines()
        assert json.loads(shown)["id"] == answer["id"]
        refused = call("erase", *about)
        assert (refused.returncode, "1 Vorhersagen" in refused.stderr, "--yes" in refused.stderr) == (2, True, True)
        misspelt = call("show", "cells", "--column", "nobody", "--value", "1")
        assert (misspelt.returncode, misspelt.stdout) == (2, "")
        erased = call("erase", *about, "--yes")
        assert (erased.returncode, erased.stdout.startswith("1 Vorhersagen mit diesem Wert")) == (0, True), erased.stderr
        assert call("show", *about).stdout.strip() == ""
        http.post("/cells/predict", json={"rows": [asked]}).raise_for_status()
        assert "0 Vorhersagen" in call("prune", "cells", "--days", "1").stdout
    no_period = call("prune", "cells")
    assert (no_period.returncode, "--days" in no_period.stderr) == (2, True)


@pytest.mark.slow
def test_the_command_packs_the_same_content_under_the_same_version(place: Settings) -> None:
    workshop = Workshop(place.root.parent)
    output = workshop.folder / "out" / "numbers.bento"
    first = workshop.done("package", "numbers", "--output", output, "--json").document
    assert (first["path"], first["hashed"], first["bytes"]) == (str(output), True, output.stat().st_size)
    assert first["projects"] == [
        {
            "project": "numbers",
            "version": 1,
            "sha256": first["projects"][0]["sha256"],
            "compiled": False,  # its release has no held-out rows to prove it with
            "rows": False,
            "personal_columns": [],
        }
    ]
    with tarfile.open(output) as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
    assert {"bento.yaml", "src/releases/champions.json", "src/requirements.txt"} <= names
    refused = workshop("package", "numbers", "--output", output, "--json")
    assert (refused.code, refused.document["error"]["kind"]) == (2, "UsageError")
    again = workshop.done("package", "numbers", "--output", output, "--overwrite")
    assert first["tag"] in again.told
    assert "No rows of data are in it" in again.told
    assert workshop.done("package", "numbers", "--language", "de").told.startswith(f"Paket {first['tag']}")


def test_the_bento_names_its_projects(made: Package) -> None:
    described = yaml.safe_load((made.path / "bento.yaml").read_text(encoding="utf-8"))
    assert described["labels"] == {"cells": "1", "line": "1", "sounds": "1"}
    assert described["service"] == "serving.service:LeitstandService"
