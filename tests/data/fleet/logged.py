#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
logged.py kv1|kv2: print fifteen minutes of a made host as lines for tests/data/archive.py. The VM web1 is on
kv1 for five minutes and then on kv2, with another PID. Each counter grows by the same every ten seconds.
Before and after that its counters stand still: pmproxy 6.0 forgets names of instances that come later. Nothing
of it was measured.

logged.py --agent FILE: write the values of kv2 as they grow after the move as lines for agent.py, until it is
stopped.
"""
import os
import sys
import time

RECORDS, MOVE = 91, 30
# percent of time, of one vCPU
BUSY = {"guest": 50, "kvm": 12, "poll": 6, "halted": 0, "vmm": 25, "ready": 7, "unknown": 0}
IDLE = {"guest": 3, "kvm": 3, "poll": 0, "halted": 94, "vmm": 0, "ready": 0, "unknown": 0}


def counter(per_second, begin=0, end=RECORDS):
    """Values of the records"""
    return [str(per_second * 10 * (min(max(n, begin), end - 1) - begin)) for n in range(RECORDS)]


def vm(name, vcpus, states, begin=0, end=RECORDS):
    """(metric, instance, values) of a VM"""
    for state, percent in states.items():
        yield "kvm.vm.time." + state, name, counter(percent * vcpus * 10_000_000, begin, end)
    for reason, rate in (("io", 3000), ("hlt", 1000)):
        yield "kvm.vm.exit.count", f"{name}::{reason}", counter(rate, begin, end)
        yield "kvm.vm.exit.time", f"{name}::{reason}", counter(rate * 10_000, begin, end)
    yield "kvm.vm.userspace_exit.time", f"{name}::IO", counter(states["vmm"] * vcpus * 10_000_000, begin, end)
    yield "kvm.vm.cause.time", f"{name}::io:0x3f8:w", counter(states["vmm"] * vcpus * 9_000_000, begin, end)
    yield "kvm.vm.cause.userspace_time", f"{name}::io:0x3f8:w", counter(states["vmm"] * vcpus * 8_000_000, begin, end)
    # web1's vCPUs are woken, and run late
    for bucket, rate in (("512-1023", 6), ("4096-8191", 3), ("1048576-2097151", 1)) if states is BUSY else ():
        yield "kvm.vm.wake.latency", f"{name}::{bucket}", counter(rate * 100, begin, end)
        yield "kvm.vm.exit.latency", f"{name}::io::{bucket}", counter(rate * 300, begin, end)
    for number in range(vcpus):
        yield "kvm.vcpu.run_delay", f"{name}::vcpu{number}", counter(states["ready"] * 10_000_000, begin, end)


def host(name):
    """All of a host"""
    first = name == "kv1"
    yield "kvm.nvms", "", ["2" if (n < MOVE) == first else "1" for n in range(RECORDS)]
    yield "kvm.nvcpus", "", ["3" if (n < MOVE) == first else "1" for n in range(RECORDS)]
    yield "kvm.exit.total", "", counter(8000 if first else 4000)
    for reason, rate in (("io", 3000), ("hlt", 1000)):
        yield "kvm.exit.count", reason, counter(rate)
    for reason, bucket, rate in (("io", "512-1023", 2000), ("io", "2048-4095", 900), ("io", "1048576-2097151", 100),
                                 ("hlt", "2048-4095", 1000)):
        yield "kvm.exit.latency", f"{reason}::{bucket}", counter(rate)
    yield "kvm.userspace_exit.time", "IO", counter(250_000_000)
    for family in ("exit", "cause"):
        yield "kvm.agent.family.attached", family, ["0" if family == "cause" and first else "1"] * RECORDS
        yield "kvm.agent.family.missed", family, counter(2 if first else 0)
    yield "kvm.agent.event.missed", "kvm_exit", counter(2 if first else 0)
    yield "kvm.agent.map.dropped", "cause_sums", counter(5 if first else 0)
    yield from vm("web1-4711" if first else "web1-815", 2, BUSY, *((0, MOVE) if first else (MOVE, RECORDS)))
    yield from vm("db-4720", 1, IDLE)


def agent(path):
    """The values of kv2 as they grow once web1 has come there, as lines for agent.py, twenty times a second"""
    rows = [(metric, instance, int(values[MOVE]), int(values[MOVE + 1])) for metric, instance, values in host("kv2")]
    start = time.monotonic()
    while True:
        records = (time.monotonic() - start) / 10
        with open(path + ".new", "w", encoding="utf-8") as file:
            for metric, instance, before, value in rows:
                file.write(f"{metric}|{instance}|{before + int((value - before) * records)}|\n")
        os.rename(path + ".new", path)
        time.sleep(0.05)


def main():
    """The argument is the host"""
    if sys.argv[1] == "--agent":
        agent(sys.argv[2])
    for metric, instance, values in host(sys.argv[1]):
        print(f"{metric}|{instance}|{' '.join(values)}")


main()
