"""The answers on make, buy or cooperate in a project's own project.yaml."""

from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from flows.yaml_file import write_yaml, yaml_with_comments
from leitstand.errors import UsageError
from leitstand.spec import Sourcing


def refuse_to_save(folder: Path, workspace: Path, recorded: Sourcing | None) -> None:
    """Make sure that answers may be written: into a project of the workspace that has the section already.

    Raises
    ------
    UsageError
        If not.
    """
    if not folder.resolve().is_relative_to((workspace / "projects").resolve()):
        raise UsageError("readiness.sourcing_not_own", project=folder.name)
    if recorded is None:
        raise UsageError("readiness.sourcing_cannot_save", path=folder / "project.yaml")


def save_answers(path: Path, answers: dict[str, str]) -> None:
    """Write the answers into the section ``sourcing``; comments and everything else stay. The file is replaced as a whole."""
    content = yaml_with_comments().load(path.read_text(encoding="utf-8"))
    content["sourcing"].setdefault("answers", CommentedMap()).update(answers)
    written = path.with_name(f".{path.name}.new")
    write_yaml(content, written)
    written.replace(path)
