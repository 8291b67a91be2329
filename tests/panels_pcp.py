#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
panels_pcp.py URL SECOND [NAME=VALUE]...: ask a pmproxy every query of the dashboards for PCP Redis, as the
data source does, and print "DASHBOARD | PANEL | LEGEND | VALUE", the last until that time, a line for each
that the panel shows, or "nothing" for none.

panels_pcp.py --page FILE URL SECOND [NAME=VALUE]...: draw the answers of the fifteen minutes before as a page.
panels_pcp.py --vector URL HOSTSPEC [NAME=VALUE]...: ask for the metrics of those for PCP Vector, as of now, and
print the same.
"""
import re
import sys
import urllib.parse

import panels
import series


def legend(target, labels):
    """A line's name: $NAME is a label, or the instance"""
    return re.sub(r"\$(\w+)", lambda match: labels.get(match[1], match[0]), target["legendFormat"])


def shown_of(panel, rows, variables):
    """What is left of (legend, points) by the panel's transformations"""
    for step in panel["transformations"]:
        if step["id"] == "filterFieldsByName":
            pattern = step["options"]["include"]["pattern"].strip("/")
            for name, value in variables.items():
                pattern = pattern.replace("$" + name, value)
            rows = [row for row in rows if re.match(pattern, row[0])]
        elif step["id"] == "renameByRegex":
            pattern, name = step["options"]["regex"].strip("/"), step["options"]["renamePattern"].replace("$", "\\")
            # a heat map's rows are in order where all have numbers for names
            rows = sorted(((re.sub(pattern, name, legend), points) for legend, points in rows), key=lambda row: float(row[0]))
        elif step["id"] == "sortBy":
            sign = -1 if step["options"]["sort"][0]["desc"] else 1
            rows = sorted(rows, key=lambda row: sign * row[1][-1][1])
        elif step["id"] == "limit":
            rows = rows[:step["options"]["limitField"]]
    return rows


def answers(url, begin, second, variables):
    """(dashboard, panel, target, [(legend, points)]) of each query"""
    for dashboard, panel, target, expr in panels.queries(variables, "performancecopilot-redis-datasource"):
        rows = [(legend(target, labels), points) for labels, points in series.ask(url, expr, begin, second, 30) if points]
        yield dashboard, panel, target, shown_of(panel, sorted(rows), variables)


def lines(url, second, variables):
    """The last values"""
    for dashboard, panel, target, rows in answers(url, second - 900, second, variables):
        head = f"{dashboard['uid']} | {panel['title']} | "
        for name, points in rows:
            print(f"{head}{name} | {round(points[-1][1], 4):g}")
        if not rows:
            print(f"{head}{target['legendFormat']} | nothing")


def page(path, url, second, variables):
    """The dashboards, drawn"""
    begin, shown = second - 900, {}
    for dashboard, panel, target, rows in answers(url, begin, second, variables):
        # as the panel calls the columns of a table, the rows of a heat map and lines
        name_of, value = {"table": ("Field", "Last *"), "heatmap": ("le", "")}.get(panel["type"], ("name", "{{name}}"))
        as_metric = [{"metric": {name_of: name}, "values": points, "value": points[-1]} for name, points in rows]
        shown.setdefault((dashboard["title"], panel["id"]), (panel, []))[1].append(
            ({"legendFormat": value, "format": "time_series"}, as_metric))
    panels.draw(path, shown, begin, second)


def vector(url, hostspec, variables):
    """What pmcd has now, for each query, as the panel has it"""
    def call(way, **parameters):
        return series.http(url, f"/pmapi/{way}?{urllib.parse.urlencode(parameters)}")
    context = call("context", hostspec=hostspec, polltimeout=60)["context"]
    for dashboard, panel, target, expr in panels.queries(variables, "performancecopilot-vector-datasource"):
        rows = call(f"{context}/fetch", names=expr)["values"][0]["instances"]
        # instances are of a metric's domain, or there is none
        try:
            names = {row["instance"]: row["name"] for row in call(f"{context}/indom", name=expr)["instances"]}
        except OSError:
            names = {}
        found = sorted((legend(target, {"instance": names.get(row["instance"], "")}), [(0, row["value"])]) for row in rows)
        shown = shown_of(panel, found, variables)
        for name, points in shown:
            print(f"{dashboard['uid']} | {panel['title']} | {name} | {points[-1][1]:g}")
        if not shown:
            print(f"{dashboard['uid']} | {panel['title']} | {target['legendFormat']} | nothing")


def main():
    """The first argument says what"""
    if sys.argv[1] == "--vector":
        vector(*sys.argv[2:4], dict(pair.split("=", 1) for pair in sys.argv[4:]))
        return
    panels.answer(page, lines)


if __name__ == "__main__":
    main()
