"""A dossier as one HTML page that needs nothing beside it."""

import base64
from html import escape

from flows.dossier.content import Block, Cell, Document, Note, Paragraph, Picture, Section, Signatures, Table

STYLE = """
body{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:#1b2a30;max-width:58rem;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.9rem;line-height:1.25}h2{font-size:1.4rem;margin:2.6rem 0 .6rem;border-bottom:2px solid #1f6f8b;padding-bottom:.2rem}
h3{font-size:1.1rem;margin:1.6rem 0 .4rem}.sub{color:#55666d;margin:.1rem 0}
nav ol{columns:2;padding-left:1.4rem}nav a,a{color:#1f6f8b;text-decoration:none}a:hover{text-decoration:underline}
table{border-collapse:collapse;width:100%;margin:.6rem 0 1rem;table-layout:fixed}
td,th{padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #d5dcdf;overflow-wrap:anywhere}
th{border-bottom:2px solid #9aa5ab;font-weight:600}
.note{padding:.6rem .9rem;border-left:5px solid #9aa5ab;background:#f2f5f6;margin:.8rem 0}
.good{border-color:#2d8a57;background:#eef7f1}.bad{border-color:#c8553d;background:#fbf1ee}
.missing{color:#a23b22;font-style:italic}.source{font-size:.75em;vertical-align:super;line-height:0;white-space:nowrap}
figure{margin:.8rem 0}figure img{max-width:100%;height:auto}figcaption{color:#55666d;font-size:.9em}
.signatures td{height:3rem;vertical-align:bottom;border-bottom:1px solid #1b2a30}
@media print{body{max-width:none;margin:0;font-size:10pt}h2{break-after:avoid}tr,figure,.note{break-inside:avoid}}
"""


def to_html(made: Document) -> str:
    """Return the document as HTML."""
    body = "".join(_section(section, made) for section in made.sections)
    subtitle = "".join(f'<p class="sub">{escape(line)}</p>' for line in made.subtitle)
    contents = "".join(f'<li><a href="#{one.id}">{escape(one.title)}</a></li>' for one in made.sections if one.level == 1)
    return (
        f'<!doctype html>\n<html lang="{made.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(made.title)}</title><style>{STYLE}</style></head>'
        f'<body><h1>{escape(made.title)}</h1>{subtitle}<nav aria-label="{escape(made.words["contents"])}"><ol>{contents}</ol></nav>'
        f"{body}</body></html>\n"
    )


def _section(section: Section, made: Document) -> str:
    tag = f"h{section.level + 1}"
    blocks = "".join(_block(block, made) for block in section.blocks)
    return f'<section><{tag} id="{section.id}">{escape(section.title)}</{tag}>{blocks}</section>\n'


def _block(block: Block, made: Document) -> str:
    match block:
        case Paragraph(cells):
            return f"<p>{_cells(cells, made)}</p>"
        case Note(kind, cells):
            return f'<div class="note {kind}">{_cells(cells, made)}</div>'
        case Picture(png, caption, width):
            source = base64.b64encode(png).decode("ascii")
            image = f'<img src="data:image/png;base64,{source}" alt="{escape(caption.text)}" style="width:{100 * width:.0f}%">'
            return f"<figure>{image}<figcaption>{_cells((caption,), made)}</figcaption></figure>"
        case Signatures():
            return _signatures(block)
        case Table():
            return _table(block, made)


def _table(table: Table, made: Document) -> str:
    widths = "".join(f'<col style="width:{100 * width:.0f}%">' for width in table.widths)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    rows = []
    for number, row in enumerate(table.rows):
        anchor = f' id="{table.anchors[number]}"' if table.anchors else ""
        rows.append(
            f"<tr{anchor}>{''.join(f'<td>{_cells(cell if isinstance(cell, tuple) else (cell,), made)}</td>' for cell in row)}</tr>"
        )
    heading = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table><colgroup>{widths}</colgroup>{heading}<tbody>{''.join(rows)}</tbody></table>"


def _signatures(block: Signatures) -> str:
    rows = "".join(f"<tr><td>{escape(role)}<br>{escape(name)}</td><td></td><td></td></tr>" for role, name in block.people)
    head = f'<tr><th></th><th scope="col">{escape(block.date)}</th><th scope="col">{escape(block.signature)}</th></tr>'
    return f'<table class="signatures"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def _cells(cells: tuple[Cell, ...], made: Document) -> str:
    return " ".join(_cell(cell, made) for cell in cells)


def _cell(cell: Cell, made: Document) -> str:
    shown = escape(cell.text)
    shown = f"<strong>{shown}</strong>" if cell.strong else shown
    shown = f'<span class="missing">{shown}</span>' if cell.missing else shown
    shown = f'<a href="#{cell.section}">{shown}</a>' if cell.section else shown
    links = "".join(f' <a class="source" href="#evidence-{one}">[{made.words["source"]}{one}]</a>' for one in cell.sources)
    return shown + links
