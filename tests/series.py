#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
series.py URL QUERY: ask a pmproxy what a query of pmseries matches, and print the last value of each
instance, "HOST METRIC INSTANCE => VALUE" in order.

Of instances that ended it prints none: those that the last record of their series does not have. ask(), which
panels.py uses, does what Grafana's data sources for PCP do: it asks for series, then for their
descriptions, instances, labels and values, and makes rates of counters.
"""
import http.client as http_client
import json
import sys
import urllib.parse

TIME_UNITS = {"nanosec": 1e9, "microsec": 1e6, "millisec": 1e3}


def http(url, path, body=None):
    """The JSON of an answer. urllib asks for "Connection: close", at which pmproxy 6.0 cuts its answer short."""
    connection = http_client.HTTPConnection(url.split("//")[1], timeout=20)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise OSError(text)
        return json.loads(text)
    finally:
        connection.close()


def call(url, way, **parameters):
    """What the API of series answers"""
    try:
        return http(url, f"/series/{way}", urllib.parse.urlencode(parameters))
    except (OSError, ValueError, http_client.HTTPException) as error:
        sys.exit(f"{way}: {error}")


def series(url, query, **window):
    """[{host, metric, desc, instances: {id: (name, labels)}, values: {instance id: [(second, value)]}}]"""
    ids = call(url, "query", expr=query)
    if not ids:
        return []
    found = {row["series"]: {"desc": row} for row in call(url, "descs", series=",".join(ids))}
    for row in call(url, "metrics", series=",".join(ids)):
        found[row["series"]]["metric"] = row["name"]
    for row in call(url, "labels", series=",".join(ids)):
        found[row["series"]]["labels"] = row["labels"]
    with_instances = [sid for sid, one in found.items() if one["desc"]["indom"] != "none"]
    for one in found.values():
        one["instances"], one["values"] = {}, {}
    if with_instances:
        for row in call(url, "instances", series=",".join(with_instances)):
            found[row["series"]]["instances"][row["instance"]] = row["name"], {}
        every = [i for one in found.values() for i in one["instances"]]
        labels = {row["series"]: row["labels"] for row in call(url, "labels", series=",".join(every))} if every else {}
        for one in found.values():
            one["instances"] = {i: (name, labels.get(i, {})) for i, (name, _) in one["instances"].items()}
    for row in call(url, "values", series=",".join(ids), **window):
        found[row["series"]]["values"].setdefault(row.get("instance", ""), []).append((row["timestamp"] / 1000, row["value"]))
    for one in found.values():
        one["host"] = one.get("labels", {}).get("hostname") or \
            next((labels["hostname"] for _, labels in one["instances"].values() if "hostname" in labels), "")
        # the same value is listed twice now and then
        one["values"] = {i: sorted(dict(values).items()) for i, values in one["values"].items()}
    return list(found.values())


def rate(values):
    """Of a counter; nothing where it fell"""
    pairs = [(t, float(v)) for t, v in values]
    return [(t, (v - v0) / (t - t0)) for (t0, v0), (t, v) in zip(pairs, pairs[1:]) if v >= v0]


def shown(semantics, units, values):
    """A panel shows the rate of a counter, of times as the share of a second"""
    if semantics != "counter":
        return [(t, float(v)) for t, v in values]
    return [(t, v / TIME_UNITS.get(units, 1)) for t, v in rate(values)]


def ask(url, query, begin, end, step):
    """[({label: text}, [(second, value)])] as a panel shows it: rates, and times as shares of one second"""
    answer = []
    window = {"start": begin - 120, "finish": end + 60, "interval": step}
    for one in series(url, query, **window):
        for instance, values in one["values"].items():
            name, labels = one["instances"].get(instance, ("", one.get("labels", {})))
            points = shown(one["desc"]["semantics"], one["desc"]["units"], values)
            points = [(t, v) for t, v in points if begin <= t <= end]
            known = {key: str(text) for key, text in labels.items()}
            answer.append(({**known, "hostname": one["host"], "metric": one["metric"], "instance": name}, points))
    return answer


def main():
    """Print the last values"""
    lines = []
    for one in series(sys.argv[1], sys.argv[2]):
        last = max((values[-1][0] for values in one["values"].values()), default=0)
        for instance, values in one["values"].items():
            if last - values[-1][0] < 0.1:
                name = one["instances"].get(instance, ("-", None))[0]
                lines.append(f"{one['host']} {one['metric']} {name} => {values[-1][1]}")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
