#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
panels_pcp.py URL SECOND [NAME=VALUE]...: ask a pmproxy every query of the dashboards for PCP Redis, as the
data source does, and print "DASHBOARD | PANEL | LEGEND | VALUE", the last until that time, a line for each
that the panel shows, or "nothing" for none.

panels_pcp.py --page FILE URL SECOND [NAME=VALUE]...: draw the answers of the fifteen minutes before as a page.
panels_pcp.py --vector URL HOSTSPEC SECONDS [NAME=VALUE]...: ask for the metrics of those for PCP Vector, once a second,
and print the same, of means.
panels_pcp.py --vector-page FILE URL HOSTSPEC SECONDS [NAME=VALUE]...: draw the answers.
"""
import re
import sys
import time
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
    drawn(path, answers(url, second - 900, second, variables), second - 900, second, variables)


def drawn(path, found, begin, end, variables):
    """(dashboard, panel, target, [(legend, points)]) as a page"""
    shown = {}
    for dashboard, panel, target, rows in found:
        # as the panel calls the columns of a table, the rows of a heat map and lines
        name_of, value = {"table": ("Field", "Last *"), "heatmap": ("le", "")}.get(panel["type"], ("name", "{{name}}"))
        as_metric = [{"metric": {name_of: name}, "values": points, "value": points[-1]} for name, points in rows]
        shown.setdefault((dashboard["title"], panel["id"]), (panel, []))[1].append(
            ({"legendFormat": value, "format": "time_series"}, as_metric))
    panels.draw(path, shown, begin, end, variables)


def vector(url, hostspec, seconds, variables):
    """
    What each panel for PCP Vector shows of so many seconds, as the data source has it: it asks pmcd once a second for
    all metrics, and makes rates of counters. [(dashboard, panel, target, [(legend, points)])], the first and last second
    """
    def call(way, **parameters):
        return series.http(url, f"/pmapi/{way}?{urllib.parse.urlencode(parameters)}")
    context = call("context", hostspec=hostspec, polltimeout=60)["context"]
    wanted = list(panels.queries(variables, "performancecopilot-vector-datasource"))
    names = sorted({expr for _, _, _, expr in wanted})
    described = {row["name"]: row for row in call(f"{context}/metric", names=",".join(names))["metrics"]}
    values, times = {name: {} for name in names}, []
    for number in range(seconds):
        if number:
            time.sleep(1)
        answer = call(f"{context}/fetch", names=",".join(names))
        times.append(answer["timestamp"])
        for row in answer["values"]:
            for one in row["instances"]:
                values[row["name"]].setdefault(one["instance"], []).append((answer["timestamp"], one["value"]))
    found = []
    for dashboard, panel, target, expr in wanted:
        # instances are of a metric's domain, or there is none
        instances = {} if described[expr].get("indom", "none") == "none" else \
            {row["instance"]: row["name"] for row in call(f"{context}/indom", name=expr)["instances"]}
        how = described[expr]["sem"], described[expr]["units"]
        rows = [(legend(target, {"instance": instances.get(instance, "")}), series.shown(*how, points))
                for instance, points in values[expr].items()]
        found.append((dashboard, panel, target, shown_of(panel, sorted(row for row in rows if row[1]), variables)))
    return found, times[0], times[-1]


def vector_lines(url, hostspec, seconds, variables):
    """The means"""
    for dashboard, panel, target, rows in vector(url, hostspec, seconds, variables)[0]:
        head = f"{dashboard['uid']} | {panel['title']} | "
        for name, points in rows:
            print(f"{head}{name} | {round(sum(value for _, value in points) / len(points), 4):g}")
        if not rows:
            print(f"{head}{target['legendFormat']} | nothing")


def main():
    """The first argument says what"""
    if sys.argv[1] == "--vector":
        vector_lines(*sys.argv[2:4], int(sys.argv[4]), dict(pair.split("=", 1) for pair in sys.argv[5:]))
        return
    if sys.argv[1] == "--vector-page":
        variables = dict(pair.split("=", 1) for pair in sys.argv[6:])
        drawn(sys.argv[2], *vector(*sys.argv[3:5], int(sys.argv[5]), variables), variables)
        return
    panels.answer(page, lines)


if __name__ == "__main__":
    main()
