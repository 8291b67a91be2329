#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
dashboards.py FOLDER: write Grafana's dashboards, one JSON file each, made of fleet/panels, which says how it
is written. Their data source is any of type prometheus.
"""
import json
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Columns of tables
ORDER = {name: number for number, name in enumerate(
    ["vm", "instance", "vcpu", "Value", "Value #A", "Value #B", "Value #C", "cause", "Value #D", "reason", "Value #E", "id"])}
LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later. Copyright (c) 2026 The pmdakvm authors. "


def read():
    """The dashboards of fleet/panels: lists of panels with their queries, and variables"""
    dashboards = []
    with open(os.path.join(TOP, "fleet", "panels"), encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        key, rest = line.split(" ", 1)
        if key == "dashboard":
            uid, title = rest.split(" ", 1)
            dashboards.append({"uid": uid, "title": title, "variables": [], "panels": []})
        elif key == "variable":
            dashboards[-1]["variables"].append(rest.split(" ", 1))
        elif key == "panel":
            kind, size, unit, title = rest.split(" ", 3)
            width, height = map(int, size.split("x"))
            dashboards[-1]["panels"].append({"kind": kind, "width": width, "height": height, "unit": unit,
                                             "title": title, "says": None, "queries": []})
        elif key == "query":
            legend, expr = rest.split(" | ", 1)
            dashboards[-1]["panels"][-1]["queries"].append((legend, expr))
        elif key == "says":
            dashboards[-1]["panels"][-1]["says"] = rest
        else:
            sys.exit(f"fleet/panels: unknown: {line}")
    return dashboards


def targets(panel):
    """The queries as Grafana has them"""
    result = []
    for number, (legend, expr) in enumerate(panel["queries"]):
        target = {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expr, "legendFormat": legend,
                  "range": True, "instant": False, "format": "time_series"}
        if panel["kind"] in ("stat", "table"):
            target.update({"range": False, "instant": True})
        if panel["kind"] == "table":
            target["format"] = "table"
        if panel["kind"] == "heatmap":
            target["format"] = "heatmap"
        result.append(target)
    return result


def options(panel):
    """Of a type of panel"""
    kind = panel["kind"]
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "none",
                "graphMode": "none", "textMode": "value"}
    if kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    if kind == "heatmap":
        return {"calculate": False, "cellGap": 1, "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange",
                                                                 "reverse": False},
                "yAxis": {"unit": panel["unit"], "axisPlacement": "left"}, "tooltip": {"mode": "single"},
                "legend": {"show": True}}
    return {"legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"}}


def fields(panel):
    """Units, and how lines are drawn"""
    defaults = {"unit": panel["unit"], "custom": {}}
    if panel["kind"] in ("timeseries", "stacked"):
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        defaults["min"] = 0
    if panel["kind"] == "stacked":
        defaults["custom"].update({"fillOpacity": 70, "stacking": {"mode": "normal", "group": "A"}})
        if panel["unit"] == "percentunit":
            defaults["max"] = 1
    overrides = []
    if panel["kind"] == "table":
        for number, (legend, _) in enumerate(panel["queries"]):
            name = f"Value #{chr(ord('A') + number)}" if len(panel["queries"]) > 1 else "Value"
            unit = "percentunit" if legend == "Ready" else "none"
            overrides.append({"matcher": {"id": "byName", "options": name},
                              "properties": [{"id": "displayName", "value": legend}, {"id": "unit", "value": unit},
                                             {"id": "decimals", "value": 3}]})
    return {"defaults": defaults, "overrides": overrides}


def transformations(panel):
    """Of a table: one row for what the queries have in common, without the time"""
    if panel["kind"] != "table":
        return []
    hidden = {name: True for name in ("Time", "__name__", "uuid", "job")}
    steps = [{"id": "merge", "options": {}}] if len(panel["queries"]) > 1 else []
    return steps + [{"id": "organize", "options": {"excludeByName": hidden, "indexByName": ORDER, "renameByName": {}}}]


def panels(dashboard):
    """All, in rows of 24 columns"""
    result, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(dashboard["panels"]):
        if x + panel["width"] > 24:
            x, y, tallest = 0, y + tallest, 0
        kind = "timeseries" if panel["kind"] == "stacked" else panel["kind"]
        made = {"id": number + 1, "type": kind, "title": panel["title"], "datasource": SOURCE,
                "gridPos": {"x": x, "y": y, "w": panel["width"], "h": panel["height"]},
                "targets": targets(panel), "fieldConfig": fields(panel), "options": options(panel),
                "transformations": transformations(panel)}
        if panel["says"]:
            made["description"] = panel["says"]
        result.append(made)
        x, tallest = x + panel["width"], max(tallest, panel["height"])
    return result


def variables(dashboard):
    """The data source, and what can be chosen"""
    result = [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}]
    for name, query in dashboard["variables"]:
        result.append({"name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name},
                       "refresh": 2, "sort": 1, "multi": False, "includeAll": False})
    return result


def main():
    """Write them all"""
    for dashboard in read():
        made = {"description": LICENCE + 'Made of fleet/panels by "make fleet".', "uid": dashboard["uid"],
                "title": dashboard["title"], "tags": ["kvm"], "schemaVersion": 39, "editable": True,
                "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "timezone": "",
                "templating": {"list": variables(dashboard)}, "annotations": {"list": []}, "links": [
                    {"type": "dashboards", "tags": ["kvm"], "title": "KVM", "asDropdown": False,
                     "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "dashboard",
                     "tooltip": "", "url": ""}],
                "panels": panels(dashboard)}
        with open(os.path.join(sys.argv[1], dashboard["uid"] + ".json"), "w", encoding="utf-8") as file:
            json.dump(made, file, indent=1)
            file.write("\n")


main()
