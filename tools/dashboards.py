#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
dashboards.py FOLDER: write Grafana's dashboards, one JSON file each, made of fleet/panels and fleet/panels-pcp,
which say how they are written. The data source is any of type prometheus, or of grafana-pcp's.
"""
import json
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Types of data sources, and what they are called
SOURCES = {"prometheus": ("prometheus", ""), "redis": ("performancecopilot-redis-datasource", " (PCP Redis)"),
           "valkey": ("performancecopilot-valkey-datasource", " (PCP Valkey)"),
           "vector": ("performancecopilot-vector-datasource", " (PCP Vector)")}
# Columns of tables
ORDER = {name: number for number, name in enumerate(
    ["vm", "instance", "vcpu", "Value", "Value #A", "Value #B", "Value #C", "cause", "Value #D", "reason", "Value #E", "id"])}
# What columns are called, where their names do not say
NAMES = {"vm": "VM", "instance": "Host", "vcpu": "vCPU", "cause": "Cause", "reason": "Reason", "family": "Family",
         "id": "UUID, or host/name/PID"}
LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later. Copyright (c) 2026 The pmdakvm authors. "


def read(name, sources):
    """The dashboards of a file: lists of panels with their queries, and variables"""
    dashboards = []
    with open(os.path.join(TOP, "fleet", name), encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        key, rest = line.split(" ", 1)
        if key == "source":
            sources = rest.split()
        elif key == "dashboard":
            uid, title = rest.split(" ", 1)
            dashboards.append({"uid": uid, "title": title, "sources": sources, "variables": [], "panels": []})
        elif key in ("variable", "text"):
            dashboards[-1]["variables"].append([key] + rest.split(" ", 1))
        elif key == "panel":
            kind, size, unit, title = rest.split(" ", 3)
            width, height = map(int, size.split("x"))
            dashboards[-1]["panels"].append({"kind": kind, "width": width, "height": height, "unit": unit,
                                             "title": title, "says": None, "top": None, "least": None, "only": None,
                                             "empty": None, "names": None, "queries": []})
        elif key == "query":
            legend, expr = rest.split(" | ", 1)
            dashboards[-1]["panels"][-1]["queries"].append((legend, expr))
        elif key in ("says", "top", "least", "only", "empty", "names"):
            dashboards[-1]["panels"][-1][key] = rest
        else:
            sys.exit(f"fleet/{name}: unknown: {line}")
    return dashboards


def data_source(source):
    """As panels and queries name it: what was chosen at the top"""
    return {"type": SOURCES[source][0], "uid": "${datasource}"}


def targets(panel, source):
    """The queries as Grafana has them"""
    result = []
    for number, (legend, expr) in enumerate(panel["queries"]):
        target = {"refId": chr(ord("A") + number), "datasource": data_source(source), "expr": expr, "legendFormat": legend}
        if source != "prometheus":
            result.append({**target, "format": "time_series"})
            continue
        target.update({"range": True, "instant": False, "format": "time_series"})
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
                "graphMode": "none", "textMode": "auto" if "$" in panel["queries"][0][0] else "value"}
    if kind == "table":
        # by what the first query has, as the rows of several are put together
        order = {} if len(panel["queries"]) == 1 else {"sortBy": [{"displayName": panel["queries"][0][0], "desc": True}]}
        return {"showHeader": True, "cellHeight": "sm", **order}
    if kind == "heatmap":
        # rows are named by their upper bounds
        return {"calculate": False, "cellGap": 1, "rowsFrame": {"layout": "le"},
                "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange",
                          "reverse": False},
                "yAxis": {"unit": panel["unit"], "axisPlacement": "left"}, "cellValues": {"unit": "ops"},
                "tooltip": {"mode": "single"}, "legend": {"show": True}}
    return {"legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"}}


def fields(panel, source):
    """Units, and how lines are drawn"""
    defaults = {"unit": "ops" if panel["kind"] == "heatmap" else panel["unit"], "custom": {}}
    if panel["empty"]:
        defaults["noValue"] = panel["empty"]
    if panel["kind"] in ("timeseries", "stacked"):
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        defaults["min"] = 0
    if panel["kind"] == "stacked":
        defaults["custom"].update({"fillOpacity": 70, "stacking": {"mode": "normal", "group": "A"}})
        # shares of the whole; those of one CPU add up to as many CPUs as there are
        if panel["unit"] == "percentunit" and source == "prometheus":
            defaults["max"] = 1
    overrides = []
    if panel["kind"] == "table" and not panel["top"] and not panel["least"]:
        for number, (legend, _) in enumerate(panel["queries"]):
            name = f"Value #{chr(ord('A') + number)}" if len(panel["queries"]) > 1 else "Value"
            unit = "percentunit" if legend == "Ready" else "none"
            overrides.append({"matcher": {"id": "byName", "options": name},
                              "properties": [{"id": "displayName", "value": legend}, {"id": "unit", "value": unit},
                                             {"id": "decimals", "value": 1 if unit == "percentunit" else 3}]})
    return {"defaults": defaults, "overrides": overrides}


def transformations(panel):
    """
    Of a table: one row for what the queries have in common, without the time; or for the last value of each
    line, the largest first. Of lines, those whose name begins so; and for a heat map, named by what ends it.
    """
    if panel["only"]:
        steps = [{"id": "filterFieldsByName", "options": {"include": {"pattern": f"/^([Tt]ime$|{panel['only']})/"}}}]
        if panel["kind"] == "heatmap":
            steps.append({"id": "renameByRegex", "options": {"regex": r"/.*-(\d+)$/", "renamePattern": "$1"}})
        return steps
    if panel["top"] or panel["least"]:
        return [{"id": "reduce", "options": {"mode": "seriesToRows", "reducers": ["lastNotNull"]}},
                {"id": "sortBy", "options": {"sort": [{"field": "Last *", "desc": bool(panel["top"])}]}},
                {"id": "limit", "options": {"limitField": int(panel["top"] or panel["least"])}},
                {"id": "organize", "options": {"excludeByName": {}, "indexByName": {},
                                               "renameByName": {"Field": panel["names"] or "VM", "Last *": "Last"}}}]
    if panel["kind"] != "table":
        return []
    hidden = {name: True for name in ("Time", "__name__", "uuid", "job")}
    steps = [{"id": "merge", "options": {}}] if len(panel["queries"]) > 1 else []
    return steps + [{"id": "organize", "options": {"excludeByName": hidden, "indexByName": ORDER, "renameByName": NAMES}}]


def panels(dashboard, source):
    """All, in rows of 24 columns"""
    result, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(dashboard["panels"]):
        if x + panel["width"] > 24:
            x, y, tallest = 0, y + tallest, 0
        kind = "timeseries" if panel["kind"] == "stacked" else panel["kind"]
        made = {"id": number + 1, "type": kind, "title": panel["title"], "datasource": data_source(source),
                "gridPos": {"x": x, "y": y, "w": panel["width"], "h": panel["height"]},
                "targets": targets(panel, source), "fieldConfig": fields(panel, source), "options": options(panel),
                "transformations": transformations(panel)}
        if panel["says"]:
            made["description"] = panel["says"]
        result.append(made)
        x, tallest = x + panel["width"], max(tallest, panel["height"])
    return result


def variables(dashboard, source):
    """The data source, and what can be chosen"""
    kind = SOURCES[source][0]
    result = [{"name": "datasource", "type": "datasource", "query": kind, "label": "Data source"}]
    for key, name, query in dashboard["variables"]:
        if key == "text":
            default, label = query.split(" ", 1)
            result.append({"name": name, "type": "textbox", "query": default, "label": label})
            continue
        asked = {"query": query, "refId": name} if source == "prometheus" else query
        result.append({"name": name, "type": "query", "datasource": data_source(source), "query": asked,
                       "refresh": 2, "sort": 1, "multi": False, "includeAll": False})
    return result


def write(folder, dashboard, source):
    """One file"""
    uid, tag = (dashboard["uid"], "kvm") if source == "prometheus" else (f"kvm-{source}-{dashboard['uid']}", f"kvm-{source}")
    made = {"description": LICENCE + 'Made of fleet/panels by "make fleet".', "uid": uid,
            "title": dashboard["title"] + SOURCES[source][1], "tags": [tag], "schemaVersion": 39, "editable": True,
            "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "timezone": "",
            "templating": {"list": variables(dashboard, source)}, "annotations": {"list": []}, "links": [
                {"type": "dashboards", "tags": [tag], "title": "KVM", "asDropdown": False,
                 "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "dashboard",
                 "tooltip": "", "url": ""}],
            "panels": panels(dashboard, source)}
    with open(os.path.join(folder, uid + ".json"), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)
        file.write("\n")


def main():
    """Write them all"""
    for name, sources in (("panels", ["prometheus"]), ("panels-pcp", [])):
        for dashboard in read(name, sources):
            for source in dashboard["sources"]:
                write(sys.argv[1], dashboard, source)


main()
