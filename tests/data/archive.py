#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
archive.py ARCHIVE [HOST] <LINES: write a PCP archive of metrics of the table, as pmlogger would. A line is

    METRIC|INSTANCE|VALUE VALUE ...

with one value a record; "-" where the record has none, INSTANCE empty for a metric without. Records
are ten seconds apart, from 2026-01-01 00:00:00 UTC. PMIDs, types, units and instance domains are
those of src/metrics/metrics.def and stat_items.def. Nothing of it was measured.

archive.py --names: print the names and semantics of all these metrics instead.
"""
import os
import re
import sys

import cpmapi
from pcp import pmi

START, STEP, DOMAIN = 1767225600, 10, 95
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "metrics")
TYPES = {"U32": cpmapi.PM_TYPE_U32, "U64": cpmapi.PM_TYPE_U64, "S64": cpmapi.PM_TYPE_64,
         "STRING": cpmapi.PM_TYPE_STRING}
SEMANTICS = {"COUNTER": cpmapi.PM_SEM_COUNTER, "CUMULATIVE": cpmapi.PM_SEM_COUNTER,
             "INSTANT": cpmapi.PM_SEM_INSTANT, "DISCRETE": cpmapi.PM_SEM_DISCRETE}
UNITS = {"COUNT": (0, 0, 1, 0, 0, cpmapi.PM_COUNT_ONE), "NSEC": (0, 1, 0, 0, cpmapi.PM_TIME_NSEC, 0),
         "BYTES": (1, 0, 0, cpmapi.PM_SPACE_BYTE, 0, 0), "NONE": (0, 0, 0, 0, 0, 0)}


def read(name):
    """The text of a file of src/metrics"""
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def table():
    """name: (cluster, item, type, semantics, units, instance domain's serial or None)"""
    text = read("metrics.def")
    serials = {"NULL": None}
    for indom, serial in re.findall(r"^INDOM\((\w+), (\d+),", text, re.M):
        serials[indom] = int(serial)
    metrics = {}
    for row in re.findall(r'^METRIC\("([^"]+)", (\d+), (\d+), (\w+), (\w+), (\w+), (\w+),', text, re.M):
        name, cluster, item, kind, semantics, units, indom = row
        metrics[name] = (int(cluster), int(item), kind, semantics, units, serials[indom])
    stats = re.findall(r"^STAT_ITEM\((\d+),\s*(\w+),\s*(\w+), (\w+),", read("stat_items.def"), re.M)
    for base, cluster, indom in (("kvm.vm.stat.", 6, "VM"), ("kvm.vcpu.stat.", 7, "VCPU")):
        for item, name, kind, units in stats:
            if kind in SEMANTICS:
                metrics[base + name] = (cluster, int(item), "U64", kind, units, serials[indom])
    for item, name in re.findall(r"^TRACE_ITEM\((\d+),\s*(\w+),", read("tracepoint_items.def"), re.M):
        metrics["kvm.trace." + name] = (1, int(item), "U64", "COUNTER", "COUNT", serials["CPU"])
    return metrics


def main():
    """The first argument is the archive's name"""
    if sys.argv[1] == "--names":
        for name, row in sorted(table().items()):
            print(name, row[3])
        return
    log = pmi.pmiLogImport(sys.argv[1])
    log.pmiSetHostname(sys.argv[2] if len(sys.argv) > 2 else "example.org")
    log.pmiSetTimezone("UTC")
    metrics = table()
    known, numbers, lines = set(), {}, []
    for line in filter(str.strip, sys.stdin):
        name, instance, values = (part.strip() for part in line.split("|", 2))
        cluster, item, kind, semantics, units, serial = metrics[name]
        indom = cpmapi.PM_INDOM_NULL if serial is None else log.pmiInDom(DOMAIN, serial)
        if name not in known:
            known.add(name)
            log.pmiAddMetric(name, log.pmiID(DOMAIN, cluster, item), TYPES[kind], indom,
                             SEMANTICS[semantics], log.pmiUnits(*UNITS[units]))
        if instance and instance not in numbers.setdefault(serial, {}):
            numbers[serial][instance] = len(numbers[serial])
            log.pmiAddInstance(indom, instance, numbers[serial][instance])
        lines.append((name, instance, values.split()))
    for record in range(max(len(values) for _, _, values in lines)):
        for name, instance, values in lines:
            if record < len(values) and values[record] != "-":
                log.pmiPutValue(name, instance, values[record])
        log.pmiWrite(START + record * STEP, 0)
    del log


if __name__ == "__main__":
    main()
