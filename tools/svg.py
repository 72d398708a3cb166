# SPDX-License-Identifier: Apache-2.0
"""Pieces of SVG pictures, for docs/draw and bench/draw. A picture is a white card, so that it can be read on a dark page, too."""

import sys
from xml.sax.saxutils import escape

INK, LINE = "#1d2733", "#5b6875"


def text(x, y, words, anchor="middle", size=12, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{more}>{escape(words)}</text>'


def box(x, y, width, height, words, colour="#eef3f7", dashed=False):
    """A box; the first of the words is its name, the others are smaller."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{colour}" stroke="{LINE}"{dash}/>']
    top = y + height / 2 - 7.5 * (len(words) - 1) + 4.5
    for n, line in enumerate(words):
        parts.append(text(x + width / 2, top + 15 * n, line, size=12 if n else 13, more="" if n else ' font-weight="bold"'))
    return "\n".join(parts)


def arrow(points, label="", at=None, anchor="middle", dashed=False, both=False):
    """A line through these points, with a head at its end; `at` is where its label stands."""
    path = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    start = ' marker-start="url(#head)"' if both else ""
    parts = [f'<path d="M{path}" fill="none" stroke="{LINE}" stroke-width="1.4"{dash}{start} marker-end="url(#head)"/>']
    if label:
        x, y = at or ((points[0][0] + points[-1][0]) / 2, (points[0][1] + points[-1][1]) / 2 - 5)
        parts += [text(x, y + 14 * n, line, anchor, 11) for n, line in enumerate(label.split("\n"))]
    return "\n".join(parts)


HEAD = (f'<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
        f'<path d="M0,1 L9,5 L0,9 Z" fill="{LINE}"/></marker></defs>\n')


def picture(width, height, parts, head=""):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n{head}' + "\n".join(parts) + "\n</svg>\n")


def keep(pictures):
    """Writes the pictures, {path: SVG}. With --check it writes nothing, and says which are not as they would be drawn."""
    check, stale = sys.argv[1:] == ["--check"], 0
    for path, drawn in pictures.items():
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != drawn:
            print(f"{path.name} is not as {sys.argv[0]} draws it")
            stale += 1
    return stale != 0
