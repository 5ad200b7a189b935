"""The tables after a run: what went in, what came out, what was decided, where to look next."""

from flows.cli.app import call
from flows.cli.console import console, say, shown, table
from leitstand.milestones import Milestone
from leitstand.run_report import RunReport
from leitstand.texts import text


def show_run(report: RunReport) -> None:
    """Print the summary of a run."""
    if report.data.synthetic:
        say("synthetic")
    data = report.data
    say("data_line", version=data.version[:12], rows=data.rows, accepted=data.accepted, quarantined=data.quarantined)
    for broken in data.broken[:5]:
        say("broken_line", column=broken.column, rule=broken.rule, rows=broken.rows, examples=", ".join(broken.examples))
    if data.extra:
        say("extra_line", columns=", ".join(data.extra))
    if data.quarantine_file:
        say("quarantine_line", path=data.quarantine_file)
    show_model(report)
    show_gates(report)
    show_milestones(report)
    show_operation(report)
    show_next(report)


def show_model(report: RunReport) -> None:
    """Print the metrics beside baseline and champion."""
    model = report.model
    rows = []
    for name, interval in model.intervals.items():
        bounds = f"{shown(interval.low)} … {shown(interval.high)}"
        champion = (model.champion_metrics or {}).get(name)
        marked = f"[bold]{name}[/]" if name == model.metric else name
        rows.append((marked, interval.value, bounds, model.baseline_metrics.get(name), champion))
    title = text(
        "flows.model_title",
        call.language,
        project=report.project,
        version=model.version,
        candidate=model.candidate,
        training=model.training_rows,
        holdout=model.holdout_rows,
    )
    table(title, ("metric", "value", "interval", "baseline", "champion"), rows)
    if model.learning_curve is not None:
        say("more_data_helps" if model.learning_curve.more_data_helps else "more_data_no")


def show_gates(report: RunReport) -> None:
    """Print every gate with what it measured and wanted."""
    rows = [
        (gate.name, gate.value, f"{'≥' if gate.at_least else '≤'} {shown(gate.threshold)}", _mark(gate.passed))
        for gate in report.gates
    ]
    table(text("flows.gates_title", call.language), ("gate", "value", "threshold", "passed"), rows)


def show_milestones(report: RunReport) -> None:
    """Print the five milestones with their verdicts."""
    rows = [(f"{one.id} {text(f'roadmap.{one.name}', call.language)}", _verdict(one), one.seconds) for one in report.milestones]
    table(text("flows.milestones_title", call.language), ("milestone", "verdict", "seconds"), rows)


def show_operation(report: RunReport) -> None:
    """Print what the service, monitoring and the value formula said."""
    if report.service:
        service = report.service
        say("service_line", rows=service.rows, requests=service.requests, labels=service.labels, ms=shown(service.median_ms))
    if report.monitoring:
        from monitoring.result import MonitoringResult

        console().print(MonitoringResult.model_validate(report.monitoring).summary(call.language), soft_wrap=True)
    if report.decision:
        console().print(report.decision.render(call.language), soft_wrap=True)
    if report.benefit:
        promised, measured = report.benefit.promised, report.benefit.measured
        say(
            "benefit_line",
            promised=shown(promised.savings_eur_per_year),
            measured=shown(measured.savings_eur_per_year),
            payback=shown(measured.payback_months),
        )


def show_next(report: RunReport) -> None:
    """Print where to look next."""
    promoted = report.model.alias == "champion"
    passed = all(gate.passed for gate in report.gates)
    key = "next_promoted" if promoted else "next_approval" if passed else "next_refused"
    say(key, project=report.project, version=report.model.version)


def _verdict(one: Milestone) -> str:
    colour = {"passed": "green", "refused": "red", "open": "yellow"}[one.verdict]
    verdict = text(f"roadmap.verdict_{one.verdict}", call.language)
    missing = ", ".join(text(f"roadmap.missing_{name}", call.language) for name in one.missing)
    return f"[{colour}]{verdict}[/]" + (f" ({missing})" if missing else "")


def _mark(passed: bool) -> str:
    colour = "green" if passed else "red"
    return f"[{colour}]{shown(passed)}[/]"
