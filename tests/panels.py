#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
panels.py URL SECOND [NAME=VALUE]...: ask a Prometheus every query of the dashboards in fleet/grafana, as at
that time and with these variables, and print "DASHBOARD | PANEL | LEGEND | LABELS | VALUE", a line for each
answer, or "nothing" for none.

panels.py --keys: print each key that the dashboards use, with the keys it is in, and check nothing.
panels.py --page FILE URL SECOND [NAME=VALUE]...: draw the answers of the fifteen minutes before as a page.
"""
import glob
import html
import json
import os
import sys
import urllib.parse
import urllib.request

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fleet", "grafana")
COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"]


def dashboards(source=None):
    """All, by title, or those for a type of data source"""
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.json"))):
        with open(path, encoding="utf-8") as file:
            dashboard = json.load(file)
        if source in (None, dashboard["templating"]["list"][0]["query"]):
            yield dashboard


def keys(value, above, found):
    """Paths of keys, without numbers of lists"""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = f"{above}.{key}" if above else key
            found.add(path)
            keys(inner, path, found)
    elif isinstance(value, list):
        for inner in value:
            keys(inner, above, found)


def ask(url, way, parameters):
    """What the API answers"""
    with urllib.request.urlopen(f"{url}/api/v1/{way}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
        return json.load(answer)["data"]["result"]


def queries(variables, source="prometheus"):
    """(dashboard, panel, target, query) of each"""
    for dashboard in dashboards(source):
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expr = target["expr"]
                for name, value in variables.items():
                    expr = expr.replace("$" + name, value)
                yield dashboard, panel, target, expr


def labels_of(metric):
    """As text, sorted"""
    return ", ".join(f'{key}="{value}"' for key, value in sorted(metric.items()) if key != "__name__")


def lines(url, second, variables):
    """The answers"""
    for dashboard, panel, target, expr in queries(variables):
        head = f"{dashboard['uid']} | {panel['title']} | {target['legendFormat']} | "
        rows = ask(url, "query", {"query": expr, "time": second})
        merged = [step for step in panel["transformations"] if step["id"] == "merge"]
        for row in sorted(rows, key=lambda row: labels_of(row["metric"])):
            if merged and "__name__" in row["metric"]:
                sys.exit(f"{head}the series' name keeps this query's rows apart from the others'")
            print(f"{head}{labels_of(row['metric'])} | {round(float(row['value'][1]), 4):g}")
        if not rows:
            print(head + "nothing")


def legend(target, metric):
    """A line's name"""
    text = target["legendFormat"]
    for key, value in metric.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def number(value, unit):
    """A value as Grafana shows it, with its unit"""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit in ("s", "ns"):
        if value == float("inf"):
            return "longer"
        seconds = value / (1e9 if unit == "ns" else 1)
        for short, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
            if seconds >= size:
                return f"{seconds / size:.3g} {short}"
    return f"{value:.4g}" + ("/s" if unit == "ops" else "")


def plot(panel, answers, begin, end, width):
    """Lines, or areas, as SVG"""
    stacked = panel["fieldConfig"]["defaults"]["custom"].get("stacking")
    series = [(legend(target, row["metric"]), {float(t): float(v) for t, v in row["values"]})
              for target, rows in answers for row in rows]
    times = sorted({t for _, values in series for t in values})
    below, paths, top = {t: 0.0 for t in times}, [], 0.0
    for name, values in series:
        points = []
        for t in times:
            if t not in values and not stacked:
                continue
            low = below[t] if stacked else 0
            high = low + values.get(t, 0)
            points.append((t, low, high))
            below[t] = high
            top = max(top, high)
        paths.append((name, points))
    scale = top or 1
    where = lambda t, v: f"{10 + (width - 20) * (t - begin) / (end - begin):.1f},{190 - 170 * v / scale:.1f}"
    out = [f'<svg width="{width}" height="200"><text x="10" y="14">{number(top, panel["fieldConfig"]["defaults"]["unit"])}</text>'
           f'<line x1="10" y1="190" x2="{width - 10}" y2="190" stroke="black"/>']
    for place, (_, points) in enumerate(paths):
        colour = COLOURS[place % len(COLOURS)]
        line = " ".join(where(t, high) for t, _, high in points)
        back = " ".join(where(t, low) for t, low, _ in reversed(points))
        fill = f'fill="{colour}" fill-opacity="0.6"' if stacked else 'fill="none"'
        out.append(f'<{"polygon" if stacked else "polyline"} points="{line} {back if stacked else ""}" {fill} '
                   f'stroke="{colour}" stroke-width="2"/>')
    names = "".join(f'<span style="color:{COLOURS[n % len(COLOURS)]}">&#9632; {html.escape(name)}</span> '
                    for n, (name, _) in enumerate(paths))
    return "".join(out) + f"</svg><div>{names or 'nothing'}</div>"


def heatmap(panel, answers, begin, end, width):
    """
    A row for each bucket, named by its upper bound: of cumulative ones, as Prometheus has them, what each has more
    than the one below
    """
    cumulative = answers[0][0]["format"] == "heatmap"
    rows = sorted(((float(row["metric"]["le"].replace("+Inf", "inf")), row["values"]) for row in answers[0][1]),
                  key=lambda pair: pair[0])
    cells, below, most = [], {}, 0.0
    for place, (_, values) in enumerate(rows):
        for t, value in values:
            more = max(float(value) - below.get(t, 0), 0)
            below[t] = float(value) if cumulative else 0
            most = max(most, more)
            cells.append((place, float(t), more))
    height = 180 / max(len(rows), 1)
    across = (width - 70) / max(len({t for _, t, _ in cells}), 1)
    out = [f'<svg width="{width}" height="200">']
    for place, t, more in cells:
        out.append(f'<rect x="{60 + (width - 70) * (t - begin) / (end - begin) - across:.1f}" y="{190 - height * (place + 1):.1f}" '
                   f'width="{max(across - 1, 1):.1f}" height="{height - 1:.1f}" fill="#d95f02" fill-opacity="{(more / (most or 1)) ** 0.5:.2f}"/>')
    unit = panel["options"]["yAxis"]["unit"]
    for place, (le, _) in enumerate(rows):
        if place % max(len(rows) // 8, 1) == 0:
            out.append(f'<text x="0" y="{195 - height * (place + 1):.1f}" font-size="10">{number(le, unit)}</text>')
    return "".join(out) + f"</svg><div>{'at most ' + number(most, 'ops') if rows else 'nothing'}</div>"


def table(panel, answers):
    """Rows of what the queries have in common, as Grafana's merge does"""
    names, rows = [], {}
    for target, answer in answers:
        names.append(target["legendFormat"])
        for row in answer:
            metric = {k: v for k, v in row["metric"].items() if k not in ("__name__", "uuid", "job")}
            key = (metric.get("id"), metric.get("vcpu"), metric.get("family")) if "id" in metric else \
                tuple(sorted(metric.items()))
            entry = rows.setdefault(key, {})
            entry.update(metric)
            entry[target["legendFormat"]] = number(float(row["value"][1]), panel["fieldConfig"]["defaults"]["unit"])
    # as the panel puts them in order, and calls them
    index, called = {}, {}
    for step in panel["transformations"]:
        index.update(step["options"].get("indexByName", {}))
        called.update(step["options"].get("renameByName", {}))
    for place, name in enumerate(names):
        index[name] = index.get("Value" if len(names) == 1 else f"Value #{chr(65 + place)}", 99)
    columns = sorted({key for row in rows.values() for key in row}, key=lambda name: (index.get(name, 99), name))
    cell = lambda text, tag="td": f"<{tag}>{html.escape(str(text))}</{tag}>"
    body = "".join("<tr>" + "".join(cell(row.get(column, "")) for column in columns) + "</tr>" for row in rows.values())
    return f"<table><tr>{''.join(cell(called.get(column, column), 'th') for column in columns)}</tr>{body}</table>" + ("" if rows else "nothing")


def page(path, url, second, variables):
    """The dashboards, drawn"""
    begin, shown = second - 900, {}
    for dashboard, panel, target, expr in queries(variables):
        instant = target["instant"]
        rows = ask(url, "query", {"query": expr, "time": second}) if instant else \
            ask(url, "query_range", {"query": expr, "start": begin, "end": second, "step": 30})
        shown.setdefault((dashboard["title"], panel["id"]), (panel, []))[1].append((target, rows))
    draw(path, shown, begin, second, variables)


def draw(path, shown, begin, second, variables):
    """Panels by (title of the dashboard, id), with their queries and answers, each in its place"""
    boards = {}
    for (title, _), (panel, answers) in shown.items():
        grid, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
        width = grid["w"] * 44 - 8
        if panel["type"] == "stat":
            body = "<big>" + ", ".join(number(float(row["value"][1]), unit) for _, rows in answers for row in rows) + "</big>"
        elif panel["type"] == "table":
            body = table(panel, answers)
        elif panel["type"] == "heatmap":
            body = heatmap(panel, answers, begin, second, width)
        else:
            body = plot(panel, answers, begin, second, width)
        heading = panel["title"]
        for name, value in variables.items():
            heading = heading.replace("$" + name, value)
        boards.setdefault(title, [[], 0])[0].append(
            f'<div style="position:absolute;overflow:auto;left:{grid["x"] * 44}px;top:{grid["y"] * 32}px;width:{width}px;'
            f'height:{grid["h"] * 32 - 8}px;border:1px solid #ccc"><b>{html.escape(heading)}</b><br>{body}</div>')
        boards[title][1] = max(boards[title][1], 32 * (grid["y"] + grid["h"]))
    with open(path, "w", encoding="utf-8") as file:
        file.write('<meta charset="utf-8"><style>body{font:13px sans-serif;width:1080px}td,th{padding:0 8px;text-align:left}</style>')
        for title, (panels, height) in boards.items():
            file.write(f'<h2>{html.escape(title)}</h2><div style="position:relative;height:{height}px">{"".join(panels)}</div>')


def answer(page_of, lines_of):
    """Write what a server answers, "[--page FILE] SERVER PORT NAME=VALUE...", as a page or as lines"""
    more = sys.argv[3:] if sys.argv[1] == "--page" else sys.argv[1:]
    variables = dict(pair.split("=", 1) for pair in more[2:])
    if sys.argv[1] == "--page":
        page_of(sys.argv[2], more[0], int(more[1]), variables)
    else:
        lines_of(more[0], int(more[1]), variables)


def main():
    """The first argument says what"""
    if sys.argv[1] == "--keys":
        found = set()
        for dashboard in dashboards():
            keys(dashboard, "", found)
        print("\n".join(sorted(found)))
        return
    answer(page, lines)


if __name__ == "__main__":
    main()
