"""The answers in the workspace: one YAML file that people may edit, and whose comments and notes are kept."""

from pathlib import Path

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from flows.yaml_file import write_yaml, yaml_with_comments
from leitstand.errors import ProjectError
from leitstand.questionnaire import Questionnaire
from leitstand.texts import Language, text


def write_form(path: Path, form: Questionnaire, language: Language) -> None:
    """Write an empty form: every question with its levels as a comment above it."""
    answers = CommentedMap()
    for dimension in form.dimensions:
        for place, question in enumerate(dimension.questions):
            answers[question.id] = None
            title = [f"--- {dimension.title.in_language(language)} ---"] if place == 0 else []
            levels = [f"  {level}: {one.in_language(language)}" for level, one in enumerate(question.levels)]
            comment = "\n".join([*title, question.ask.in_language(language), *levels])
            answers.yaml_set_comment_before_after_key(question.id, before=comment, indent=2)
    content = CommentedMap({"answers": answers, "notes": CommentedMap()})
    content.yaml_set_start_comment(text("readiness.form_head", language))
    replace_file(content, path)


def save_answer(path: Path, question: str, answer: int | float | str) -> None:
    """Write one answer into the section ``answers`` of a file; everything else in it stays as it is.

    The file is replaced as a whole, so that an interruption leaves the old or the new one.

    Raises
    ------
    ProjectError
        If the file is no YAML, or has a key twice.
    """
    try:
        content = yaml_with_comments().load(path.read_text(encoding="utf-8")) or CommentedMap()
    except YAMLError as error:
        raise ProjectError("errors.yaml_broken", path=path, detail=" ".join(str(error).split())) from error
    if content.get("answers") is None:
        content["answers"] = CommentedMap()
    content["answers"][question] = (
        DoubleQuotedScalarString(answer) if isinstance(answer, str) else answer
    )  # a bare no is false to some
    replace_file(content, path)


def replace_file(content: CommentedMap, path: Path) -> None:
    """Write a YAML file as a whole, so that an interruption leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.new")
    write_yaml(content, written)
    written.replace(path)
