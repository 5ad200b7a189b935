"""Chapters 3, 5 and 6: the model card, how the model decides in words, and its limits."""

from dataclasses import replace

from flows.dossier.content import Block, Cell, Paragraph, Picture, Section
from flows.dossier.facts import Facts
from flows.dossier.names import gate_name, method_name, metric_name, rule_name, short_metric, unit_of, weakest
from flows.dossier.pictures import importance, learning_curve, performance
from flows.dossier.telling import Teller, numbers

NAMED_COLUMNS = 4
FEW_ROWS = 200  # a share of errors is then known to about 7 points
MOST_RANGES = 12


def model_card(facts: Facts, tell: Teller) -> list[Section]:
    """Return the model card."""
    model = facts.model
    if not model:
        return [Section("model_card", tell("model_card"), [tell.note("neutral", "no_model")])]
    identity = Section("model_card", tell("model_card"), [tell.facts(_identity(facts, tell))])
    figures = Section("figures", tell("metrics_title"), _figures(facts, tell), level=2)
    return [
        identity,
        figures,
        Section("slices", tell("slices_title"), [_slices(facts, tell)], level=2),
        Section("candidates", tell("candidates_title"), _candidates(facts, tell), level=2),
    ]


def _identity(facts: Facts, tell: Teller) -> list[tuple[str, Cell]]:
    spec, model, pilot = facts.spec, facts.model, facts.pilot
    tags = facts.run.tags if facts.run else {}
    platform = f"Python {tags['python']}, {tags['platform']}" if {"python", "platform"} <= tags.keys() else None
    code = tell("code_none") if model["code_version"] == "none" else model["code_version"]
    rows = f"{tell.grouped(model['training_rows'])} / {tell.grouped(model['holdout_rows'])}"
    share = tell.share(spec.split.holdout).text
    return [
        ("intended_use", Cell(spec.title.in_language(tell.language))),
        ("not_intended", Cell(tell("not_intended_value"))),
        ("task", Cell(tell(f"task_{spec.task}"))),
        ("target", Cell(spec.data.target)),
        ("method", Cell(method_name(model["candidate"], tell), numbers(pilot))),
        ("version", tell.given(model["version"], pilot)),
        ("run", tell.given(model["run_id"], pilot)),
        ("ev_data_version", tell.given(pilot.data_version if pilot else None, pilot)),
        ("training_rows", Cell(rows, numbers(pilot))),
        ("split", Cell(tell(f"split_{spec.split.strategy}", share=share, group=spec.data.group))),
        ("sha256", tell.given(model["sha256"], pilot)),
        ("code_version", Cell(code, numbers(pilot), missing=model["code_version"] == "none")),
        ("lock_hash", tell.given(model["lock_sha256"], pilot)),
        ("platform", tell.given(platform, pilot)),
    ]


def _figures(facts: Facts, tell: Teller) -> list[Block]:
    model, pilot = facts.model, facts.pilot
    rows = []
    for name, found in sorted(model["intervals"].items(), key=lambda pair: pair[0] != model["metric"]):
        unit = unit_of(name, facts)
        bounds = f"{tell.number(found['low']).text} … {tell.number(found['high']).text}"
        value = tell.number(found["value"], pilot, unit)
        rival = model["baseline_metrics"].get(name)
        baseline = Cell("–") if rival is None else tell.number(rival, pilot, unit)
        rows.append((Cell(metric_name(name, tell), strong=name == model["metric"]), value, Cell(bounds), baseline))
    named = short_metric(model["metric"], tell)
    unit = unit_of(model["metric"], facts)
    picture = performance(model, facts.gates, f"{named} ({unit})" if unit else named, tell)
    return [
        tell.say("metrics_intro", pilot, rule=rule_name(model["baseline"], tell)),
        tell.table(("metric", "value", "interval", "baseline"), rows, (0.4, 0.2, 0.22, 0.18)),
        Picture(picture, Cell(tell("performance_caption"), numbers(pilot))),
    ]


def _slices(facts: Facts, tell: Teller) -> Block:
    if not facts.model["slices"]:
        return tell.note("neutral", "no_slices")
    metric = facts.model["metric"]
    rows = [
        (
            Cell(f"{one['column']} = {one['value']}"),
            tell.number(one["rows"], facts.pilot),
            tell.number(one["metric"], facts.pilot, unit_of(metric, facts)),
        )
        for one in facts.model["slices"]
    ]
    table = tell.table(("slice", "rows", "metric"), rows, (0.5, 0.2, 0.3))
    return replace(table, columns=(*table.columns[:2], short_metric(metric, tell)))


def _candidates(facts: Facts, tell: Teller) -> list[Block]:
    model, pilot = facts.model, facts.pilot
    metric, unit = short_metric(model["metric"], tell), unit_of(model["metric"], facts)
    rows = []
    for one in model["candidates"]:
        chosen = one["name"] == model["candidate"]
        mark = Cell(tell("chosen"), strong=True) if chosen else Cell("")
        rows.append((Cell(method_name(one["name"], tell), strong=chosen), tell.number(one["value"], pilot, unit), mark))
    blocks: list[Block] = [
        tell.say("candidates_intro", pilot, metric=metric),
        tell.table(("method", "value", "choice"), rows, (0.6, 0.22, 0.18)),
    ]
    curve = model["learning_curve"]
    if curve is None:
        return [*blocks, tell.say("no_curve")]
    helps = tell.say("more_data_yes" if curve["more_data_helps"] else "more_data_no", pilot)
    return [*blocks, Picture(learning_curve(curve, metric, tell), Cell(tell("curve_caption"), numbers(pilot))), helps]


def explanation(facts: Facts, tell: Teller) -> Section:
    """Return how the model decides, in words."""
    if not facts.model:
        return Section("explanation", tell("explanation"), [tell.note("neutral", "no_model")])
    model, pilot = facts.model, facts.pilot
    method = method_name(model["candidate"], tell)
    blocks: list[Block] = [
        *_answer(facts, tell),
        tell.say("explain_method", pilot, method=method, rows=tell.grouped(model["training_rows"])),
    ]
    ranked = dict(sorted(model["importance"].items(), key=lambda pair: -pair[1]))  # kept by name
    leading = [name for name, value in ranked.items() if value > 0][:NAMED_COLUMNS]
    if not leading:
        blocks.append(tell.say("explain_no_columns"))
    else:
        shown = importance(ranked, short_metric(model["metric"], tell), tell)
        blocks.append(tell.say("explain_columns", pilot, columns=", ".join(_described(name, facts, tell) for name in leading)))
        blocks.append(Picture(shown, Cell(tell("importance_caption"), numbers(pilot))))
    return Section("explanation", tell("explanation"), [*blocks, tell.say("explain_single")])


def _answer(facts: Facts, tell: Teller) -> list[Block]:
    spec, card = facts.spec, facts.card
    if card is None:
        return [Paragraph((tell.no_evidence(),))]
    if spec.task == "classification":
        classes = ", ".join(str(one) for one in card.classes)
        told: list[Block] = [tell.say("explain_classification", facts.pilot, target=card.target, classes=classes)]
        if card.positive is not None:
            told.append(tell.say("explain_positive", facts.pilot, positive=card.positive))
        if card.temperature is not None:
            told.append(tell.say("explain_calibrated", facts.pilot, temperature=tell.number(card.temperature).text))
        return told
    if spec.task == "anomaly":
        return [tell.say("explain_anomaly", facts.pilot, threshold=tell.number(card.threshold).text)]
    unit = unit_of("mae", facts)
    values = {"confidence": tell.share(card.confidence).text, "interval": tell.number(card.interval, unit=unit).text}
    return [tell.say("explain_regression", facts.pilot, target=card.target, unit=f" ({unit})" if unit else "", **values)]


def _described(name: str, facts: Facts, tell: Teller) -> str:
    column = next((one for one in facts.contract.columns if one.name == name), None)
    return f"{name} ({column.description.in_language(tell.language)})" if column and column.description else name


def limits(facts: Facts, tell: Teller) -> Section:
    """Return what the model is not known to do."""
    if not facts.model:
        return Section("limits", tell("limits"), [tell.note("neutral", "no_model")])
    blocks: list[Block] = [tell.say("limit_synthetic", facts.pilot)] if facts.synthetic else []
    blocks += [tell.say("limit_error"), *_weak_points(facts, tell)]
    guesses = sum(len(column.guesses) for column in facts.contract.columns)
    blocks += [tell.say("limit_guesses", count=guesses)] if guesses else []
    serving = facts.spec.serving
    load = {
        "rows": serving.max_rows,
        "mb": tell.number(serving.max_body_mb).text,
        "seconds": tell.number(serving.timeout_seconds).text,
    }
    blocks.append(tell.say("limit_load", **load))
    blocks += _ranges(facts, tell)
    return Section("limits", tell("limits"), blocks)


def _weak_points(facts: Facts, tell: Teller) -> list[Block]:
    model, blocks = facts.model, []
    refused = [gate_name(one["name"], facts, tell) for one in facts.gates if not one["passed"]]
    if refused:
        blocks.append(tell.say("limit_gates", facts.pilot, gates="; ".join(refused)))
    if model["holdout_rows"] < FEW_ROWS:
        blocks.append(tell.say("limit_few_rows", facts.pilot, rows=model["holdout_rows"]))
    worst = weakest(facts)
    if worst is None:
        blocks.append(tell.say("limit_no_slices"))
    else:
        value = tell.number(worst["metric"], unit=unit_of(model["metric"], facts)).text
        told = {"slice": f"{worst['column']} = {worst['value']}", "metric": short_metric(model["metric"], tell)}
        blocks.append(tell.say("limit_weakest", facts.pilot, value=value, rows=worst["rows"], **told))
    why = tell("bias_people" if facts.personal else "bias_no_people")
    return [*blocks, tell.say("limit_bias", why=why)] if not (facts.personal and facts.spec.data.slices) else list(blocks)


def _ranges(facts: Facts, tell: Teller) -> list[Block]:
    if facts.card is None or not facts.card.ranges:
        return [tell.say("limit_no_ranges")]
    units = {column.name: column for column in facts.contract.columns}
    rows = []
    for name, (low, high) in list(facts.card.ranges.items())[:MOST_RANGES]:
        unit = (units[name].unit or "") if name in units else ""
        rows.append((Cell(name), tell.number(low, facts.pilot, unit), tell.number(high, facts.pilot, unit)))
    table = tell.table(("column", "lowest", "highest"), rows, (0.5, 0.25, 0.25))
    rest = len(facts.card.ranges) - MOST_RANGES
    return [tell.say("limit_ranges", facts.pilot), table, *([tell.say("columns_left_out", count=rest)] if rest > 0 else [])]
