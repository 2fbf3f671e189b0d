"""The comparison of `make bench` as a table, as bars of text, as an SVG.

@columns: "here", "there" (instructions), "here_ns", "there_ns" (wall time), each a dictionary from a row's name to a number.
"""
import math
from xml.sax.saxutils import escape

from bench_rows import LINUX_INSTEAD, OURS, ROWS


def number(value):
    return "-" if value is None else f"{value:,.0f}"


def ratio_of(columns, row, suffix=""):
    """Linux's number divided by ours, or None."""
    here = columns["here" + suffix].get(row.name)
    there = columns["there" + suffix].get(row.name, columns["there" + suffix].get(LINUX_INSTEAD.get(row.name)))
    return there / here if here and there else None


def meets(columns, row):
    """Whether the row's goal is met; None if there is nothing to judge by."""
    ratio, here = ratio_of(columns, row), columns["here"].get(row.name)
    if here is None or (ratio is None and not row.limit):
        return None
    return (ratio is None or ratio >= row.goal) and (not row.limit or here <= row.limit)


def goal(row):
    parts = [f"{row.goal:g} x"] if row.goal else []
    return ", ".join(parts + ([f"{row.limit:,}"] if row.limit else []))


def table_row(columns, row):
    ratio, wall = ratio_of(columns, row), ratio_of(columns, row, "_ns")
    verdict = {True: "met", False: "**missed**", None: ""}[meets(columns, row)]
    cells = [row.what, number(columns["here"].get(row.name)), number(columns["there"].get(row.name)),
             f"{ratio:.1f}" if ratio else "-", goal(row), verdict,
             number(columns["here_ns"].get(row.name)), number(columns["there_ns"].get(row.name)),
             f"{wall:.1f}" if wall else "-"]
    return "| " + " | ".join(cells) + " |"


def table(columns):
    lines = []
    for title, rows in ROWS.items():
        lines += [f"| {title} | Pteron | Linux 6.12 | Linux / Pteron | goal | | ns here | ns Linux | Linux / Pteron |",
                  "|---|--:|--:|--:|--:|---|--:|--:|--:|"]
        lines += [table_row(columns, row) for row in rows if row.name in columns["here"]] + [""]
    return lines[:-1]


def ours(values):
    """What only Pteron is asked; @values: name -> (value, unit)."""
    lines = ["| on Pteron alone | | |", "|---|--:|---|"]
    return lines + [f"| {what} | {values[name][0]:.0f} | {values[name][1]} |" for name, what in OURS.items() if name in values]


# -- bars: as long as the logarithm of the ratio ------------------------------------------------------------------------

MOST = 64  # the ratio of the longest bar


def compared(columns):
    """(title, [(row, ratio)]) of what both have."""
    for title, rows in ROWS.items():
        pairs = [(row, ratio_of(columns, row)) for row in rows]
        yield title, [(row, ratio) for row, ratio in pairs if ratio]


def length(ratio, whole):
    """A bar of @whole for MOST, of nothing for 1."""
    return whole * min(max(math.log2(ratio), 0) / math.log2(MOST), 1)


def bars(columns, whole=48):
    mark = round(length(2, whole))
    lines = [f"Linux's instructions to Pteron's, on a logarithmic scale: 1 to {MOST}; | marks 2; ! what misses its goal"]
    for title, pairs in compared(columns):
        lines += ["", title]
        for row, ratio in pairs:
            bar = list(("#" * round(length(ratio, whole))).ljust(whole))
            if bar[mark] == " ":
                bar[mark] = "|"
            missed = "!" if meets(columns, row) is False else " "
            lines.append(f"{ratio:7.1f} {missed} {''.join(bar).rstrip():<{whole}}  {row.what}")
    return lines


STYLE = ("text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.met{fill:#2c7a51}.missed{fill:#c0562b}"
         ".rule{stroke:#bbb;stroke-width:1}.two{stroke:#222;stroke-width:1;stroke-dasharray:3 3}")
LEFT, WIDTH, STEP = 430, 480, 18


def svg_scale(height):
    parts = []
    for ratio in (1, 2, 4, 8, 16, 32, 64):
        x = LEFT + length(ratio, WIDTH)
        parts.append(f'<line class="{"two" if ratio == 2 else "rule"}" x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height}"/>')
        parts.append(f'<text x="{x:.1f}" y="24" text-anchor="middle">{ratio}</text>')
    return parts


def svg_bar(columns, row, ratio, y):
    kind, width = "missed" if meets(columns, row) is False else "met", max(length(ratio, WIDTH), 1)
    return [f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row.what)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y + 2}" width="{width:.1f}" height="{STEP - 5}"/>',
            f'<text x="{LEFT + width + 5:.1f}" y="{y + 12}">{ratio:.1f}</text>']


def svg(columns):
    parts, y = [], 34
    for title, pairs in compared(columns):
        parts.append(f'<text class="title" x="8" y="{y + 12}">{escape(title)}</text>')
        y += STEP
        for row, ratio in pairs:
            parts += svg_bar(columns, row, ratio, y)
            y += STEP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{y + 10}" viewBox="0 0 {LEFT + WIDTH + 60} {y + 10}">'
    caption = "Guest instructions of an operation: Linux 6.12 / Pteron (green: goal met, red: missed)"
    return "\n".join([head, f"<style>{STYLE}</style>", '<rect width="100%" height="100%" fill="#fff"/>',
                      f'<text class="title" x="8" y="14">{caption}</text>', *svg_scale(y), *parts, "</svg>"])


# -- the document --------------------------------------------------------------------------------------------------------

BEGIN, END = "<!-- make bench DOC=1: from here -->", "<!-- to here -->"


def into_document(path, lines, chart):
    """Replace what stands between the two marks."""
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    after = rest.split(END)[1]
    text = "\n".join([BEGIN, "", *lines, "", "```", *chart, "```", "", END])
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + text + after)
