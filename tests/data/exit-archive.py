#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
exit-archive.py ARCHIVE: write a PCP archive with the metrics of exits, as pmlogger would from
a host whose VMs do known numbers of things: four records, ten seconds apart, from
2026-01-01 00:00:00 UTC. Nothing of it was measured.
"""
import sys

from pcp import pmi
from cpmapi import PM_SEM_COUNTER, PM_TIME_NSEC, PM_COUNT_ONE, PM_TYPE_U64, PM_INDOM_NULL

START, STEP, DOMAIN = 1767225600, 10, 95

# What ten seconds add: reason: (count, ns), or None where it was not seen yet.
EXITS = {
    "hlt": [(0, 0), (5000, 8_000_000_000), (5000, 7_500_000_000), (2500, 4_000_000_000)],
    "io": [(1009, 5_045_000), (50_000, 250_000_000), (25_000, 125_000_000), (0, 0)],
    "npf": [None, (3, 4000), (1000, 2_500_000), (10, 25_000)],
    "DE excp": [None, None, (1, 1500), (0, 0)],
}
VM_EXITS = {
    "web1-4711::hlt": [(0, 0), (2000, 3_000_000_000), (2000, 2_500_000_000), (2500, 4_000_000_000)],
    "web1-4711::io": [(1009, 5_045_000), (40_000, 200_000_000), (20_000, 100_000_000), (0, 0)],
    "web1-4711::npf": [None, (3, 4000), (1000, 2_500_000), (10, 25_000)],
    # this one ends before the last record
    "db-4720::hlt": [(0, 0), (3000, 5_000_000_000), (3000, 5_000_000_000), None],
    "db-4720::io": [(0, 0), (10_000, 50_000_000), (5000, 25_000_000), None],
}
USERSPACE = {
    "IO": [(1009, 4_036_000), (50_000, 200_000_000), (25_000, 100_000_000), (0, 0)],
    "MMIO": [(0, 0), (1000, 5_000_000), (500, 2_500_000), (10, 50_000)],
    "restart": [None, (1, 2_000_000), (0, 0), (1, 4_000_000)],
}
INSTANCES = {"kvm.exit": (20, EXITS), "kvm.vm.exit": (21, VM_EXITS), "kvm.userspace_exit": (22, USERSPACE)}


def add_metrics(log):
    """Names, semantics and units, and all instances"""
    count = log.pmiUnits(0, 0, 1, 0, 0, PM_COUNT_ONE)
    time = log.pmiUnits(0, 1, 0, 0, PM_TIME_NSEC, 0)
    for number, (name, units) in enumerate([("total", count), ("total_time", time)]):
        log.pmiAddMetric("kvm.exit." + name, log.pmiID(DOMAIN, 900, number), PM_TYPE_U64,
                         PM_INDOM_NULL, PM_SEM_COUNTER, units)
    for family, (serial, instances) in INSTANCES.items():
        indom = log.pmiInDom(DOMAIN, serial)
        for number, (leaf, units) in enumerate([("count", count), ("time", time)]):
            log.pmiAddMetric(family + "." + leaf, log.pmiID(DOMAIN, 900 + serial, number),
                             PM_TYPE_U64, indom, PM_SEM_COUNTER, units)
        for number, instance in enumerate(instances):
            log.pmiAddInstance(indom, instance, number)


def put_record(log, record, sums):
    """What a record has: sums grow by what it adds; an instance without is not there"""
    total = [0, 0]
    for family, (_, instances) in INSTANCES.items():
        for instance, steps in instances.items():
            if steps[record] is None:
                continue
            sums[family, instance] = [a + b for a, b in
                                      zip(sums.get((family, instance), (0, 0)), steps[record])]
            for leaf, value in zip(("count", "time"), sums[family, instance]):
                log.pmiPutValue(family + "." + leaf, instance, str(value))
            if family == "kvm.exit":
                total = [a + b for a, b in zip(total, sums[family, instance])]
    log.pmiPutValue("kvm.exit.total", "", str(total[0]))
    log.pmiPutValue("kvm.exit.total_time", "", str(total[1]))
    log.pmiWrite(START + record * STEP, 0)


def main():
    """The archive's name is the only argument"""
    log = pmi.pmiLogImport(sys.argv[1])
    log.pmiSetHostname("example.org")
    log.pmiSetTimezone("UTC")
    add_metrics(log)
    sums = {}
    for record in range(4):
        put_record(log, record, sums)
    del log


if __name__ == "__main__":
    main()
