"""YAML files that keep their comments and their order when a program changes them."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

AFTER = 2  # where ruamel keeps the comment behind a key: that of its line, and all lines before the next key


def yaml_with_comments() -> YAML:
    """Return a reader and writer of YAML that keeps comments and order."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 160
    yaml.preserve_quotes = True
    return yaml


def write_yaml(content: Any, path: Path) -> None:
    """Write a YAML file as a person would."""
    with path.open("w", encoding="utf-8") as file:
        yaml_with_comments().dump(content, file)


def remove(mapping: CommentedMap, key: str) -> None:
    """Take a key out with the comment on its line; comments and blank lines below it, which speak of what comes next, stay."""
    keys = list(mapping)
    position = keys.index(key)
    kept = mapping.ca.items.pop(key, None)
    del mapping[key]
    below = "" if kept is None or kept[AFTER] is None else kept[AFTER].value.partition("\n")[2]
    if position == 0:
        above = mapping.ca.comment[1] if mapping.ca.comment else []
        above.extend(CommentToken(line.strip() + "\n", above[0].start_mark, None) for line in below.splitlines() if above)
        return
    comments = mapping.ca.items.setdefault(keys[position - 1], [None, None, None, None])
    if comments[AFTER] is None:
        comments[AFTER] = CommentToken("\n", CommentMark(0), None)
    comments[AFTER].value += below


def plain(content: Any) -> Any:
    """Return round-trip YAML as plain dictionaries and lists."""
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    return [plain(item) for item in content] if isinstance(content, list) else content
