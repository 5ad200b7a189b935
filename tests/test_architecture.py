"""What the walls of the house promise beyond the import rules, which ``make check`` holds."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("leitstand", "projects", "data_contracts", "infra", "serving", "monitoring", "flows")
EXECUTING = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "read_pickle", "to_pickle", "allow_pickle"}
FRAMEWORKS = ("mlflow", "dvc", "prefect", "great_expectations", "bentoml", "evidently", "sqlalchemy", "sklearn", "pandas")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def names(tree: ast.AST) -> Iterator[str]:
    """Every name a module uses: imported, called, taken from an object, or given as a keyword."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (part for alias in node.names for part in alias.name.split("."))
            yield from (getattr(node, "module", None) or "").split(".")
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.keyword):
            yield node.arg or ""


def using(words: set[str]) -> list[str]:
    files = [path for package in PACKAGES for path in modules(package)]
    return [str(path.relative_to(ROOT)) for path in files if words & set(names(ast.parse(path.read_text(encoding="utf-8"))))]


def test_nothing_of_ours_can_unpickle() -> None:
    assert using(EXECUTING) == []


def test_only_the_settings_read_the_environment() -> None:
    assert using({"environ", "environb", "getenv"}) == ["infra/settings.py"]


def test_importing_everything_leaves_no_trace(tmp_path: Path) -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for package in PACKAGES for path in modules(package)]
    imported = [".".join(path.parts).removesuffix(".__init__") for path in paths if path.name != "__main__"]
    code = (
        "import logging, os, signal, importlib\n"
        "def state(): return {name: os.environ.get(name) for name in ours}, logging.getLogger('leitstand').handlers, os.getcwd(), [\n"
        "    signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]\n"
        "from infra.settings import NO_TELEMETRY, QUIET, Settings\n"
        "ours = [*NO_TELEMETRY, *QUIET, *(f'LEITSTAND_{name.upper()}' for name in Settings.model_fields)]\n"
        "before = state()\n"
        f"for name in {imported!r}: importlib.import_module(name)\n"
        "assert state() == before, (state(), before)\n"
    )
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "true"}

    shown = subprocess.run([sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, check=False)

    assert shown.returncode == 0, shown.stderr
    assert list(here.iterdir()) == []
    assert not (home / ".leitstand").exists()


def test_the_command_line_loads_no_framework_before_it_is_told_what_to_do() -> None:
    code = "import sys, flows.cli; print([name for name in sys.argv[1:] if name in sys.modules])"

    shown = subprocess.run([sys.executable, "-c", code, *FRAMEWORKS], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"


def test_the_lock_works_behind_any_package_mirror() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in lock.splitlines() if re.search(r"^-|https?://|file:|\(/", line)]

    assert lines == []
    assert all("--hash=sha256:" in entry for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:])
