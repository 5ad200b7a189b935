"""Commands about contracts: contract infer, contract check."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import GATE_REFUSED, Json, Name, app, emit, settings

contract = typer.Typer(no_args_is_help=True, help="Propose a data contract from data, and check data against it.")
app.add_typer(contract, name="contract")


@contract.command(epilog="Example: leitstand contract infer parts.csv --output data_contracts/parts.odcs.yaml")
def infer(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet, Excel, or a folder with a manifest.")],
    output: Annotated[Path | None, typer.Option(help="Where to write the contract; stdout where left out.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the contract; by default the file's.")] = None,
    json: Json = False,
) -> None:
    """Propose a contract: types, units, ranges, keys, time column, suspected personal data; each guess is marked as one."""
    import tempfile

    from data_contracts.inference import infer_contract
    from data_contracts.odcs import write_contract
    from data_contracts.reading import read_source
    from flows.cli.console import say
    from leitstand.errors import UsageError
    from leitstand.spec import Source

    source = Source(folder=file.resolve()) if file.is_dir() else Source(file=file.resolve())
    frame = read_source(source, base=settings().workspace)
    made = infer_contract(frame, name=name or file.stem, source=file.name)
    if output is not None and output.exists():
        raise UsageError("flows.file_exists", path=output)
    if output is not None:
        write_contract(made, output)
    if json:
        emit(made)
    elif output is None:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "contract.odcs.yaml"
            write_contract(made, path)
            typer.echo(path.read_text(encoding="utf-8"))
    else:
        say("contract_written", path=output, columns=len(made.columns), guesses=sum(len(one.guesses) for one in made.columns))


@contract.command(epilog="Example: leitstand contract check cell_diagnostics --data new_samples.csv")
def check(
    project: Name,
    data: Annotated[Path | None, typer.Option("--data", help="Check this file instead of the project's sources.")] = None,
    json: Json = False,
) -> int:
    """Check data against a project's contract; every broken rule with its rows and examples, bad rows into quarantine."""
    from data_contracts.checking import check as run_check
    from data_contracts.result import save_quarantine
    from flows.cli.console import say, table
    from flows.status_quo import read, write_sample
    from flows.workspace import Desk, open_project, with_data
    from leitstand.run_report import BrokenRuleReport

    now = settings()
    desk = Desk(with_data(open_project(project, now), data), now)
    write_sample(desk)
    frame = desk.project.prepare({name: read(desk, source) for name, source in desk.project.spec.data.sources.items()})
    result = run_check(frame, desk.project.contract)
    kept = save_quarantine(result, now.folder("quarantine", project))
    broken = [BrokenRuleReport(column=b.column, rule=b.rule, rows=b.rows, examples=b.examples) for b in result.broken]
    if json:
        document = {
            "project": project,
            "rows": result.rows,
            "accepted": len(result.accepted),
            "quarantined": len(result.quarantined),
            "passed": result.passed,
            "broken": [one.model_dump() for one in broken],
            "extra": list(result.extra),
            "quarantine_file": str(kept) if kept else None,
        }
        emit(document)
        return 0 if result.passed else GATE_REFUSED
    say(
        "check_line",
        rows=result.rows,
        accepted=len(result.accepted),
        quarantined=len(result.quarantined),
        rules=result.expectations,
    )
    if broken:
        table("", ("column", "rule", "rows", "examples"), [(b.column, b.rule, b.rows, ", ".join(b.examples)) for b in broken])
    if result.extra:
        say("extra_line", columns=", ".join(result.extra))
    if kept:
        say("quarantine_line", path=kept)
    return 0 if result.passed else GATE_REFUSED
