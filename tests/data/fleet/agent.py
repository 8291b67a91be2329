#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
agent.py FILE: an agent for a private pmcd, of metrics of the table with the values of a file, which is
read at each fetch anew if it changed. A line is

    METRIC|INSTANCE|VALUE|LABELS

INSTANCE is empty for a metric without; LABELS, a JSON object, is what the instance has. So a test can
have hosts and VMs that it does not start. Nothing of it was measured.
"""
import importlib.util
import os
import sys

import cpmapi
from pcp.pmapi import pmUnits
from pcp.pmda import PMDA, pmdaIndom, pmdaMetric
from ctypes import c_int

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("archive", os.path.join(HERE, "..", "archive.py"))
archive = importlib.util.module_from_spec(spec)
spec.loader.exec_module(archive)


class Made:
    """The file's values by (cluster, item) and instance, the labels by instance"""

    def __init__(self, path):
        self.path, self.read_at = path, None
        self.table = archive.table()
        self.values, self.instances, self.labels, self.numbers = {}, {}, {}, {}
        self.pmda = PMDA("kvm", archive.DOMAIN)
        self.read()
        for serial in sorted({row[5] for row in self.table.values()} - {None}):
            indom = self.pmda.indom(serial)
            self.pmda.add_indom(pmdaIndom(indom, self.named(serial)))
        for name, (cluster, item, kind, semantics, units, serial) in sorted(self.table.items()):
            indom = cpmapi.PM_INDOM_NULL if serial is None else self.pmda.indom(serial)
            self.pmda.add_metric(name, pmdaMetric(self.pmda.pmid(cluster, item), archive.TYPES[kind], indom,
                                                  archive.SEMANTICS[semantics], pmUnits(*archive.UNITS[units])))

    def named(self, serial):
        """What a domain's instances are now"""
        return {name: c_int(0) for name in self.instances.get(serial, {})}

    def read(self):
        """Read the file if it changed. Is it new?"""
        changed = os.stat(self.path).st_mtime_ns
        if changed == self.read_at:
            return False
        self.read_at = changed
        self.values, self.instances, self.labels = {}, {}, {}
        with open(self.path, encoding="utf-8") as file:
            for line in filter(str.strip, file):
                name, instance, value, labels = line.rstrip("\n").split("|", 3)
                cluster, item, kind, _, _, serial = self.table[name]
                self.values[cluster, item, instance] = value if kind == "STRING" else int(value)
                if instance:
                    self.instances.setdefault(serial, {})[instance] = True
                    self.labels[serial, instance] = labels or "{}"
        return True

    def refresh(self, *_):
        """Before a fetch"""
        if self.read():
            for serial in {row[5] for row in self.table.values()} - {None}:
                self.pmda.replace_indom(self.pmda.indom(serial), self.named(serial))

    def fetch(self, cluster, item, inst):
        """One value"""
        row = self.by_number[cluster, item]
        name = "" if row[5] is None else self.pmda.inst_name_lookup(self.pmda.indom(row[5]), inst)
        if (cluster, item, name) not in self.values:
            return [cpmapi.PM_ERR_INST if name else cpmapi.PM_ERR_VALUE, 0]
        return [self.values[cluster, item, name], 1]

    def label(self, indom, inst):
        """The labels of an instance"""
        serial = indom & 0x3fffff
        return self.labels.get((serial, self.pmda.inst_name_lookup(indom, inst)), "{}")

    def run(self):
        """Serve pmcd"""
        self.by_number = {row[:2]: row for row in self.table.values()}
        self.pmda.set_refresh_all(self.refresh)
        self.pmda.set_fetch_callback(self.fetch)
        self.pmda.set_label_callback(self.label)
        self.pmda.run()


Made(sys.argv[1]).run()
