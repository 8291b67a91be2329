#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
screen.py COLUMNS LINES <SCREEN >SVG: a terminal's screen, as tmux captures it with its escapes,
as a picture. Text stays text, so a change of the screen is a change of these lines.
"""

import re
import sys
import unicodedata
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 8, 17, 10
BLANK = "\u00a0"  # browsers join other blanks
BACKGROUND, TEXT = "#1c1f26", "#d5d9e0"
COLOURS = ["#3b4048", "#e05561", "#8cc265", "#d18f52", "#4aa5f0", "#c162de", "#42b3c2", "#e6e6e6"]


def style_after(style, codes):
    """The style that a sequence of SGR codes leads to: bold, reverse, foreground."""
    bold, reverse, colour = style
    for code in codes or [0]:
        if code == 0:
            bold, reverse, colour = False, False, None
        elif code == 1:
            bold = True
        elif code == 22:
            bold = False
        elif code == 7:
            reverse = True
        elif code == 27:
            reverse = False
        elif 30 <= code <= 37:
            colour = COLOURS[code - 30]
        elif 90 <= code <= 97:
            colour = COLOURS[code - 90]
        elif code == 39:
            colour = None
    return bold, reverse, colour


def parts_of(line, style):
    """Parts of one style each, as [cell, text, style], and the style after the line."""
    parts, at = [], 0
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if piece.startswith("\x1b"):
            style = style_after(style, [int(n or 0) for n in piece[2:-1].split(";")])
        elif piece:
            parts.append((at, piece, style))
            at += sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in piece)
    return parts, style


def draw(part, row):
    at, text, (bold, reverse, colour) = part
    x, y = MARGIN + at * WIDTH, MARGIN + row * HEIGHT
    if reverse:
        print(f'<rect x="{x}" y="{y}" width="{len(text) * WIDTH}" height="{HEIGHT}" fill="{colour or TEXT}"/>')
    if not text.strip():
        return
    stripped = text.lstrip(" ")
    x += (len(text) - len(stripped)) * WIDTH
    text = stripped.rstrip(" ")
    fill = BACKGROUND if reverse else colour
    look = (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if bold else "")
    print(f'<text x="{x}" y="{y + 13}" textLength="{len(text) * WIDTH}"{look}>{escape(text).replace(" ", BLANK)}</text>')


def main():
    columns, rows = int(sys.argv[1]), int(sys.argv[2])
    width, height = 2 * MARGIN + columns * WIDTH, 2 * MARGIN + rows * HEIGHT
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">')
    print("<!-- SPDX-License-Identifier: GPL-2.0-or-later -->")
    print("<!-- Copyright (c) 2026 The pmdakvm authors; made by make pictures -->")
    print(f'<rect width="{width}" height="{height}" rx="6" fill="{BACKGROUND}"/>')
    print(f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13" fill="{TEXT}">')
    style = (False, False, None)
    for row, line in enumerate(sys.stdin.read().split("\n")[:rows]):
        parts, style = parts_of(line, style)
        for part in parts:
            draw(part, row)
    print("</g>\n</svg>")


main()
