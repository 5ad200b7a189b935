"""What a run shows in Prefect's own pages: its figures, its gates and its milestones."""

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from leitstand.run_report import RunReport
from leitstand.texts import Language, text


def publish(report: RunReport, language: Language) -> None:
    """Leave the run's summary and its gates as Prefect artifacts, under keys that make a history of them per project."""
    key = report.project.replace("_", "-")
    create_markdown_artifact(summary(report, language), key=f"run-{key}")
    rows = [{"gate": one.name, "value": one.value, "threshold": one.threshold, "passed": one.passed} for one in report.gates]
    create_table_artifact(rows, key=f"gates-{key}")


def summary(report: RunReport, language: Language) -> str:
    """Return the run in a few lines of Markdown."""
    model, data = report.model, report.data
    interval = model.intervals[model.metric]
    baseline = model.baseline_metrics.get(model.metric)
    lines = [
        f"# {report.project}",
        text("flows.synthetic_plain", language) if data.synthetic else "",
        f"`{data.version}`: {data.rows} / {data.accepted} / {data.quarantined}",
        f"**{model.candidate}** v{model.version}: {model.metric} {interval.value:.4g} ({interval.low:.4g} … {interval.high:.4g}), "
        + f"{text('flows.baseline', language)} {'–' if baseline is None else f'{baseline:.4g}'}",
        *(
            f"- {one.id} {text(f'roadmap.{one.name}', language)}: {text(f'roadmap.verdict_{one.verdict}', language)}"
            for one in report.milestones
        ),
    ]
    return "\n\n".join(line for line in lines if line)
