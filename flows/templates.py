"""Making a project from a template: a copy under a new name, with its own data where given."""

import shutil
from pathlib import Path

from data_contracts.odcs import read_contract, write_contract
from flows.fitting import fit
from flows.making import Made, Wish, contract_file, making, require_free
from flows.workspace import contract_path, read_table
from flows.yaml_file import plain, write_yaml, yaml_with_comments
from leitstand.errors import UsageError
from leitstand.folders import locate
from leitstand.pilot import FILE as PILOT
from leitstand.spec import load_spec, parse_spec


def new_from_template(wish: Wish, template: str, workspace: Path, roots: tuple[Path, ...]) -> Made:
    """Make a project as a copy of another one; with own data its contract and project.yaml are fitted to them, model.py stays.

    Raises
    ------
    UsageError
        If the name is taken or illegal, the template or a column unknown (did you mean), or the wish says what only a template decides.
    DataError
        If the data have no column for a role that the template needs, or one that cannot play it.
    """
    if wish.task is not None or wish.lags:
        raise UsageError("flows.template_decides", template=template)
    if wish.source is None and wish != Wish(wish.name):
        raise UsageError("flows.roles_need_data")
    require_free(wish.name, workspace)
    origin = locate(template, roots)
    spec = load_spec(origin / "project.yaml")
    contract = read_contract(contract_path(origin, spec)).model_copy(update={"id": wish.name})
    content = yaml_with_comments().load((origin / "project.yaml").read_text(encoding="utf-8"))
    content["project"] = wish.name
    content["data"].pop("contract", None)
    left_out: tuple[str, ...] = ()
    if wish.source is not None:
        contract, left_out = fit(content, spec, contract, wish, read_table(wish.source, workspace))
    made = parse_spec(plain(content), Path("project.yaml"))
    with making(wish.name, workspace) as folder:
        shutil.copytree(origin, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "project.yaml", PILOT))
        write_yaml(content, folder / "project.yaml")
        write_contract(contract, contract_file(wish.name, workspace))
    guesses = sum(len(column.guesses) for column in contract.columns)
    return Made(workspace / "projects" / wish.name, contract_file(wish.name, workspace), made, guesses, left_out)
