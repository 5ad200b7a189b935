"""Small pictures of the inventory as SVG elements: of a column's values, of what is missing where, of when there are data."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from data_contracts.inventory.found import BLOCKS, ColumnFigures, DataSet

BLUE, RED, GREY = "#1f6f8b", "#c8553d", "#e6ebed"
SPARK_WIDTH, SPARK_HEIGHT = 120, 26
MAP_ROW, MAP_WIDTH = 14, 480
MOST_MAP_ROWS = 40
LINE_HEIGHT, LINE_LEFT, LINE_WIDTH = 22, 250, 620


def spark(column: ColumnFigures, label: str) -> str:
    """Return the distribution of a column as bars: numbers and times from low to high, texts from frequent to rare."""
    if not column.histogram:
        return ""
    highest, width = max(column.histogram) or 1, SPARK_WIDTH / len(column.histogram)
    bars = "".join(
        f'<rect x="{place * width:.1f}" y="{SPARK_HEIGHT * (1 - count / highest):.1f}" width="{max(width - 0.6, 0.6):.1f}" '
        f'height="{SPARK_HEIGHT * count / highest:.1f}"/>'
        for place, count in enumerate(column.histogram)
        if count
    )
    return (
        f'<svg class="spark" role="img" aria-label="{escape(label)}" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" '
        f'width="{SPARK_WIDTH}" height="{SPARK_HEIGHT}" fill="{BLUE}">{bars}</svg>'
    )


def missing_map(one: DataSet, label: str) -> str:
    """Return where values are missing: a line per column that misses some, from the first to the last row; the redder, the more."""
    lines = [column for column in one.columns if column.missing_blocks][:MOST_MAP_ROWS]
    if not lines:
        return ""
    cells = []
    for row, column in enumerate(lines):
        width = MAP_WIDTH / len(column.missing_blocks)
        top = row * MAP_ROW
        cells.append(f'<text x="0" y="{top + 10}">{escape(_short(column.name, 32))}</text>')
        cells.append(f'<rect x="200" y="{top}" width="{MAP_WIDTH}" height="{MAP_ROW - 3}" fill="{GREY}"/>')
        cells += [
            f'<rect x="{200 + place * width:.1f}" y="{top}" width="{width + 0.3:.1f}" height="{MAP_ROW - 3}" fill="{RED}" '
            f'fill-opacity="{max(share, 0.15):.2f}"/>'
            for place, share in enumerate(column.missing_blocks)
            if share
        ]
    height = len(lines) * MAP_ROW
    return (
        f'<svg class="wide" role="img" aria-label="{escape(label)}" viewBox="0 0 {200 + MAP_WIDTH} {height}" '
        f'width="{200 + MAP_WIDTH}" height="{height}">{"".join(cells)}</svg>'
    )


def coverage(one: DataSet, label: str) -> str:
    """Return how many rows there are in each part of the time that a data set covers."""
    if one.time is None or len(one.time.coverage) < 2:
        return ""
    highest, width, height = max(one.time.coverage) or 1, (200 + MAP_WIDTH) / BLOCKS, 44
    bars = "".join(
        f'<rect x="{place * width:.1f}" y="{height * (1 - count / highest):.1f}" width="{width - 1:.1f}" '
        f'height="{height * count / highest:.1f}" fill="{BLUE}"/>'
        if count
        else f'<rect x="{place * width:.1f}" y="{height - 3}" width="{width - 1:.1f}" height="3" fill="{RED}"/>'
        for place, count in enumerate(one.time.coverage)
    )
    return (
        f'<svg class="wide" role="img" aria-label="{escape(label)}" viewBox="0 0 {200 + MAP_WIDTH} {height}" '
        f'width="{200 + MAP_WIDTH}" height="{height}">{bars}</svg>'
    )


def time_lines(sets: Sequence[DataSet], label: str) -> str:
    """Return all data sets with a time as lines on one axis, from their first to their last point in time."""
    timed = [one for one in sets if one.time is not None]
    if not timed:
        return ""
    first = min(one.time.first for one in timed if one.time)
    last = max(one.time.last for one in timed if one.time)
    span = max((last - first).total_seconds(), 1.0)
    parts = [_axis(first, span, len(timed))]
    for row, one in enumerate(timed):
        assert one.time is not None, "only such were kept"
        start = LINE_LEFT + LINE_WIDTH * (one.time.first - first).total_seconds() / span
        length = max(LINE_WIDTH * (one.time.last - one.time.first).total_seconds() / span, 3)
        middle = row * LINE_HEIGHT + 26
        parts.append(f'<text x="0" y="{middle + 4}">{escape(_short(one.name, 36))}</text>')
        part = length / len(one.time.coverage)
        parts += [
            f'<rect x="{start + place * part:.1f}" y="{middle - 5}" width="{part + 0.3:.2f}" height="11" fill="{BLUE if count else GREY}"/>'
            for place, count in enumerate(one.time.coverage)
        ]
    height = len(timed) * LINE_HEIGHT + 30
    return (
        f'<svg class="wide" role="img" aria-label="{escape(label)}" viewBox="0 0 {LINE_LEFT + LINE_WIDTH + 40} {height}" '
        f'width="{LINE_LEFT + LINE_WIDTH + 40}" height="{height}">{"".join(parts)}</svg>'
    )


def _axis(first: datetime, span: float, lines: int) -> str:
    steps = 5
    form = "%Y-%m" if span > 180 * 86_400 else "%Y-%m-%d"
    made = []
    for step in range(steps + 1):
        place = LINE_LEFT + LINE_WIDTH * step / steps
        day = first + timedelta(seconds=math.floor(span * step / steps))
        made.append(f'<line x1="{place:.0f}" x2="{place:.0f}" y1="16" y2="{lines * LINE_HEIGHT + 24}" stroke="{GREY}"/>')
        made.append(f'<text x="{place:.0f}" y="10" text-anchor="middle">{day.strftime(form)}</text>')
    return "".join(made)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
