"""The report of an inventory: one page in both languages, with pictures, that loads nothing from anywhere."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from data_contracts.inventory.found import ColumnFigures, DataSet, Inventory, Said
from flows import inventory_pictures as pictures
from flows.inventory_file import Entries
from flows.use_cases import UseCase
from leitstand.texts import LANGUAGES, Language, text

POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
)
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { margin: .5rem 0; } h2 { margin: 2.2rem 0 .4rem; font-size: 1.3rem; } h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .88rem; }
th, td { border-bottom: 1px solid #d0d7de; padding: .2rem .5rem; text-align: left; vertical-align: top; overflow-wrap: break-word; }
td:first-child { min-width: 10rem; overflow-wrap: anywhere; } th { white-space: nowrap; overflow-wrap: normal; }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; } svg { display: block; } svg.wide { max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: #1b1f24; }
.good { color: #1a6b3c; font-weight: 600; } .thin { color: #8a5a00; font-weight: 600; } .unusable { color: #a40e26; font-weight: 600; }
.personal { color: #a40e26; font-weight: 600; } .quiet { color: #57606a; } details { border-top: 1px solid #d0d7de; padding: .5rem 0; }
summary { cursor: pointer; font-weight: 600; } .languages label { cursor: pointer; margin-right: 1rem; }
body:has(#de:checked) [lang=en], body:has(#en:checked) [lang=de] { display: none; }
a { color: #1f6f8b; } @media print { .languages { display: none; } }
"""
MOST_COLUMNS = 200
MOST_OPEN = 40  # columns; a wider data set is folded, so that the next one can be found


def write_page(found: Inventory, entries: Entries, cases: Sequence[UseCase], path: Path, language: Language) -> None:
    """Write the page whole or not at all; ``language`` is the one it opens in."""
    choice = "".join(
        f'<label><input type="radio" name="language" id="{one}"{" checked" if one == language else ""}> {name}</label>'
        for one, name in (("de", "Deutsch"), ("en", "English"))
    )
    title = escape(text("inventory.page_title", language))
    parts = [
        _summary(found),
        _overview(found),
        _times(found),
        _use_cases(cases),
        _personal(found, entries),
        _joins(found),
        _others(found),
    ]
    details = "".join(_details(one, entries, number, found.made) for number, one in enumerate(found.sets))
    page = (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">{POLICY}<meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><style>{STYLE}</style></head><body><form class="languages">{choice}</form><h1>{_both("page_title")}</h1>'
        f"{''.join(parts)}<h2>{_both('page_details')}</h2>{details}</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(page, encoding="utf-8")
    fresh.replace(path)


def _both(key: str, /, **values: object) -> str:
    return _said(Said(f"inventory.{key}", values))


def _said(said: Said) -> str:
    return "".join(f'<span lang="{one}">{escape(said.render(one))}</span>' for one in LANGUAGES)


def _figure(value: float | None, digits: int = 4) -> str:
    """Return a figure in both languages."""
    if value is None:
        return "–"
    written = f"{value:,.0f}" if abs(value) >= 10_000 or value == int(value) else f"{value:.{digits}g}"
    if not set(",.") & set(written):
        return written
    german = written.translate(str.maketrans(",.", ".,"))
    return f'<span lang="en">{written}</span><span lang="de">{german}</span>'


def _summary(found: Inventory) -> str:
    read = [one for one in found.sets if one.problem is None]
    rows = sum(one.rows or 0 for one in read)
    personal = sum(bool(one.personal) for one in read)
    values = {
        "sets": len(read),
        "unread": len(found.sets) - len(read),
        "personal": personal,
        "time": f"{found.made:%Y-%m-%d %H:%M} UTC",
    }
    return f"<p>{_both('page_summary', **values)} {_figure(rows)} {_both('page_rows')}</p><p class=quiet>{escape(', '.join(found.places))}</p>"


def _overview(found: Inventory) -> str:
    rows = []
    for number, one in enumerate(found.sets):
        level = one.verdict.level if one.verdict else "unusable"
        reason = "".join(_said(said) + " " for said in _reasons(one))
        kinds = sorted({column.personal.kind for column in one.personal if column.personal})
        rows.append(
            f'<tr><td><a href="#s{number}">{escape(one.name)}</a></td><td>{escape(one.format)}</td><td class=n>{_figure(one.files)}</td>'
            f"<td class=n>{_figure(one.rows)}</td><td class=n>{_figure(len(one.columns) or None)}</td>"
            f"<td class=personal>{', '.join(_both(f'kind_{kind}') for kind in kinds)}</td><td>{_range(one)}</td>"
            f"<td><span class={level}>{_both(f'level_{level}')}</span> {reason}</td></tr>"
        )
    return f"<h2>{_both('page_sets')}</h2>{_table(('name', 'format', 'files', 'rows', 'columns', 'personal', 'time', 'verdict'), rows)}"


def _reasons(one: DataSet) -> tuple[Said, ...]:
    if one.problem is not None:
        return (Said("inventory.because", {"reason": _problem(one)}),)
    return one.verdict.reasons if one.verdict else ()


def _problem(one: DataSet) -> Said:
    assert one.problem is not None, "asked only where there is one"
    return Said(one.problem.key, dict(one.problem.values))


def _range(one: DataSet) -> str:
    if one.time is None:
        return "–"
    whole = "%Y\u2011%m\u2011%d"  # with hyphens that no line breaks at
    return f"{one.time.first:{whole}} – {one.time.last:{whole}}"


def _times(found: Inventory) -> str:
    drawn = pictures.time_lines(found.sets, "time")
    return f"<h2>{_both('page_times')}</h2><div class=scroll>{drawn}</div>" if drawn else ""


def _use_cases(cases: Sequence[UseCase]) -> str:
    if not cases:
        return ""
    made = [f"<h2>{_both('page_use_cases')}</h2>"]
    for case in cases:
        items = "".join(f"<li>{_said(one)}</li>" for one in (*case.reasons, *case.missing, *case.record))
        title = "".join(f'<span lang="{one}">{escape(case.title.in_language(one))}</span>' for one in LANGUAGES)
        made.append(f"<h3>{title}: <span class={case.css}>{_both(f'case_{case.verdict}')}</span></h3><ul>{items}</ul>")
    return "".join(made)


def _personal(found: Inventory, entries: Entries) -> str:
    rows = []
    for one in found.sets:
        for column in one.personal:
            assert column.personal is not None, "only such are asked for"
            decided = entries.column(one.name, column.name).get("personal_data")
            by = _both(f"by_{column.personal.by}", share=f"{100 * (column.personal.share or 0):.0f}")
            hand = f" <b>{_both('decided', decision=decided)}</b>" if decided else ""
            rows.append(
                f"<tr><td>{escape(one.name)}</td><td>{escape(column.name)}</td><td class=personal>{_both(f'kind_{column.personal.kind}')}</td>"
                f"<td>{_both(f'gdpr_{column.personal.gdpr}')}{hand}</td><td>{by}</td><td>{_both(f'minimise_{column.personal.kind}')}</td></tr>"
            )
        rows += [
            f"<tr><td>{escape(one.name)}</td><td>{escape(column.name)}</td><td>{_both(f'kind_{kind}')}</td><td>{_both('gdpr_ordinary')}</td>"
            f"<td>{_both('by_mention', count=count)}</td><td>{_both('minimise_text')}</td></tr>"
            for column in one.columns
            for kind, count in column.mentions
        ]
    if not rows:
        return f"<h2>{_both('page_personal')}</h2><p>{_both('page_no_personal')}</p>"
    return f"<h2>{_both('page_personal')}</h2>{_table(('set', 'column', 'kind', 'gdpr', 'found_by', 'minimise'), rows)}"


def _joins(found: Inventory) -> str:
    rows = [
        f"<tr><td>{escape(join.left)}</td><td>{escape(join.left_column)}</td><td>{escape(join.right)}</td><td>{escape(join.right_column)}</td>"
        f"<td class=n>{100 * join.overlap:.0f} %</td>"
        f"<td>{_both('join_declared' if join.declared else 'join_name' if join.same_name else 'join_values')}"
        f"{'' if not join.unique else ', ' + _both('join_unique')}</td></tr>"
        for join in found.joins
    ]
    return (
        f"<h2>{_both('page_joins')}</h2>{_table(('set', 'column', 'other_set', 'other_column', 'overlap', 'found_by'), rows)}"
        if rows
        else ""
    )


def _others(found: Inventory) -> str:
    if not found.other:
        return ""
    shown = ", ".join(f"{count} × {escape(suffix)}" for suffix, count in found.other.items())
    return f"<h2>{_both('page_others')}</h2><p>{shown}</p>"


def _details(one: DataSet, entries: Entries, number: int, made: datetime) -> str:
    if one.problem is not None:
        return (
            f'<details id="s{number}"><summary>{escape(one.name)}</summary><p class=quiet>{escape(one.path)}</p>'
            f"<p class=unusable>{_said(Said('inventory.because', {'reason': _problem(one)}))}</p></details>"
        )
    facts = "".join(f"<li>{fact}</li>" for fact in _facts(one, entries.of(one.name), made))
    shown = one.columns[:MOST_COLUMNS]
    rows = [_column(column, one, entries.column(one.name, column.name)) for column in shown]
    more = f"<p>{_both('page_more', count=len(one.columns) - len(shown))}</p>" if len(shown) < len(one.columns) else ""
    heads = ("column", "type", "unit", "missing", "distinct", "range", "outliers", "distribution", "notes")
    maps = pictures.missing_map(one, "missing")
    times = pictures.coverage(one, "coverage")
    return (
        f'<details id="s{number}"{" open" if len(one.columns) <= MOST_OPEN else ""}><summary>{escape(one.name)}</summary>'
        f"<p class=quiet>{escape(one.path)}</p><ul>{facts}</ul>"
        + (f"<h3>{_both('page_coverage')}</h3><div class=scroll>{times}</div>" if times else "")
        + (f"<h3>{_both('page_missing')}</h3><div class=scroll>{maps}</div>" if maps else "")
        + f"{_table(heads, rows)}{more}</details>"
    )


def _facts(one: DataSet, entered: Mapping[str, object], now: datetime) -> list[str]:
    made = [
        _both(f"entry_{key}", value=entered[key])
        for key in ("owner", "purpose", "retention", "source_system", "note")
        if entered.get(key)
    ]
    made.append(_both("fact_keys", keys=" / ".join(" + ".join(key) for key in one.keys)) if one.keys else _both("fact_no_keys"))
    if one.duplicates:
        made.append(f"{_figure(one.duplicates)} {_both('fact_duplicates')}")
    if one.time is not None:
        values = {
            "column": one.time.column,
            "first": f"{one.time.first:%Y-%m-%d %H:%M}",
            "last": f"{one.time.last:%Y-%m-%d %H:%M}",
        }
        made.append(_both("fact_time", **values))
        if one.time.step_seconds:
            step, longest = _duration(one.time.step_seconds), _duration(one.time.longest_gap_seconds)
            made.append(
                _said(
                    Said(
                        "inventory.fact_gaps" if one.time.gaps else "inventory.fact_no_gaps",
                        {"step": step, "gaps": one.time.gaps, "longest": longest},
                    )
                )
            )
    if (hours := one.freshness_hours(now)) is not None:
        made.append(_said(Said("inventory.fact_fresh", {"age": _duration(hours * 3600)})))
    if one.modified is not None:
        made.append(_both("fact_modified", time=f"{one.modified:%Y-%m-%d %H:%M}"))
    made += [
        f"{_both('fact_target')} <b>{escape(target.column)}</b> ({_both(f'task_{target.task}')}): {_said(target.reason)}"
        for target in one.targets
    ]
    return made + [_said(note) for note in one.notes]


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d}" if time == datetime.combine(time, datetime.min.time()) else f"{time:%Y-%m-%d %H:%M}"


def _duration(seconds: float) -> Said:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size or seconds == size:
            return Said(f"inventory.duration_{unit}", {"count": _rounded(seconds / size)})
    return Said("inventory.duration_seconds", {"count": _rounded(seconds)})


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _column(column: ColumnFigures, one: DataSet, entered: Mapping[str, object]) -> str:
    read = one.figures_of or one.rows or 1
    missing = f"{_figure(round(100 * column.missing / read, 1))} %" if column.missing else "–"
    low, high = (
        (_figure(value) if isinstance(value, float) else escape(str(value or ""))) for value in (column.minimum, column.maximum)
    )
    unit = escape(str(entered.get("unit") or column.unit or ""))
    guessed = " ?" if column.unit_by == "values" and not entered.get("unit") else ""
    return (
        f"<tr><td>{escape(column.name)}</td><td>{_both(f'type_{column.type}')}</td><td>{unit}{guessed}</td><td class=n>{missing}</td>"
        f"<td class=n>{'' if column.distinct_exact else '≈ '}{_figure(column.distinct)}</td>"
        f"<td>{f'{low} … {high}' if column.minimum is not None else '–'}</td>"
        f"<td class=n>{_figure(column.outliers) if column.outliers else '–'}</td>"
        f"<td>{pictures.spark(column, column.name)}</td><td>{_remarks(column, entered)}</td></tr>"
    )


def _remarks(column: ColumnFigures, entered: Mapping[str, object]) -> str:
    made = []
    if column.personal is not None:
        made.append(f"<span class=personal>{_both(f'kind_{column.personal.kind}')}</span>")
    if column.constant:
        made.append(_both("remark_constant"))
    if column.invalid:
        made.append(f"{_figure(column.invalid)} {_both('remark_invalid')}")
    made += [_both("remark_mention", count=count) + " " + _both(f"kind_{kind}") for kind, count in column.mentions]
    if entered.get("note"):
        made.append(escape(str(entered["note"])))
    return "; ".join(made)


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{_both(f'head_{one}')}</th>" for one in heads)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
