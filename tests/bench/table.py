# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""table.py DIR EVENT CPU JSON: print what tests/bench/run has measured, from the
tab-separated files that it left in DIR, and write it to the file JSON. Fails if a
collector lost events."""

import json
import math
import os
import platform
import random
import statistics
import sys

# The variants of tests/bench/pair.c, in the order of the table.
PAIRS = {
    "nothing": "nothing",
    "empty": "two empty programs",
    "clock": "two that read the clock: the floor",
    "old": "the exit pair before the engine, without trace",
    "ours": "ours: all of it, trace counts included",
    "far": "ours, beyond the first chunks",
    "probe": "ours, with two probe reads",
    "causes": "ours, and charged to causes",
    "ledger": "ours, and written to the ledger",
    "both": "ours, charged and written to the ledger",
    "least": "the least that counts reason, time, maximum, bucket",
    "least-both": "the same, with a minimal ledger and minimal causes",
    "miss": "ours, with hints that miss",
    "one-empty": "one empty program",
    "one-trace": "the trace family's program",
    "one-key": "the cause family's: an access to a port",
    "whole-clock": "the floor, and one empty program",
    "whole": "an I/O exit in all: the pair, charged, and its access",
}
MODES = {
    "hot": "in a loop of events",
    "two": "on two vCPUs at a time",
    "enter": "at each entry of the VMM",
    "cold": "at each entry, after reading {lines} cache lines",
    "turns": "at each entry, of 3 vCPUs in turn on one thread",
}
COLLECTORS = {
    "nothing": "nothing",
    "empty": "an empty BPF program",
    "ours": "pmdakvm (kvmbpf)",
    "perf": "perf stat -a",
    "stock": "PCP's stock agent",
    "bpftrace": "bpftrace, count()",
    "kvmexit": "bcc's kvmexit",
}
READS = {
    "counts": "kvm.exit.count, time, max of 4,000 vCPUs with 12 reasons",
    "latency": "kvm.exit.latency of the same",
    "vms": "kvm.vm.exit.count, time, max of their 1,000 VMs",
    "arrivals": "which record is whose, when a vCPU has come or gone",
}
RESAMPLES = 2000


def read(directory, name):
    with open(os.path.join(directory, name), encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def spread(values, form="{:.1f}"):
    """The median, and the quartiles in brackets."""
    if len(values) < 2:
        return " ".join(form.format(value) for value in values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{form.format(middle)} [{form.format(low)}..{form.format(high)}]"


def show(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def cycles_of_ns():
    """The CPU's clock in GHz."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        mhz = [float(line.split(":")[1]) for line in file if line.startswith("cpu MHz")]
    return mhz[0] / 1000 if mhz else math.nan


class Rounds:
    """The cost of one event in each round: cost[name][round], in ns."""

    def __init__(self):
        self.cost = {}

    def put(self, name, number, ns):
        self.cost.setdefault(name, {})[number] = ns

    def has(self, *names):
        return all(name in self.cost for name in names + ("nothing",))

    def added(self, name):
        """The added cost in each round, relative to nothing in the same round."""
        nothing = self.cost["nothing"]
        return {number: ns - nothing[number] for number, ns in self.cost[name].items()}

    def ratio(self, name, to):
        """Of the medians of what they add; with what 5 % and 95 % of such would be below,
        had other rounds been drawn from the same ones. None: one was not measured."""
        if not self.has(name, to):
            return None
        below, above = self.added(to), self.added(name)
        numbers = sorted(set(below) & set(above))
        draw = random.Random(1)  # fixed seed: the same files give the same table

        def of(drawn):
            divisor = statistics.median(below[number] for number in drawn)
            return (statistics.median(above[number] for number in drawn) / divisor
                    if divisor > 0 else math.inf)

        again = sorted(of(draw.choices(numbers, k=len(numbers))) for _ in range(RESAMPLES))
        return of(numbers), again[RESAMPLES // 20], again[-RESAMPLES // 20]


def ratio_text(ratio):
    return "{:.2f} [{:.2f}..{:.2f}]".format(*ratio) if ratio else "-"


class Bars:
    """What was to come out, and what did."""

    def __init__(self):
        self.rows = []

    def put(self, words, most, value, text, unit=""):
        """value: what is held against the bar; None: not measured."""
        self.rows.append({"what": words, "at_most": most, "unit": unit, "value": value,
                          "text": text if value is not None else "not measured",
                          "met": None if value is None else value <= most})

    def show(self):
        rows = [["", "at most", "measured", ""]]
        for row in self.rows:
            met = {None: "", True: "met", False: "MISSED"}[row["met"]]
            rows.append([row["what"], f"{row['at_most']}{row['unit']}", row["text"], met])
        show(rows)


# --- the parts: each shows what it has, puts its bars, and returns its figures ---


def show_pairs(directory, bars, lines):
    modes, lost = {}, []
    for row in read(directory, "pairs"):
        if row[0] == "counted":
            if int(row[2]) < int(row[3]):
                lost.append(f"{row[1]} counted {row[2]} of {row[3]}")
            continue
        modes.setdefault(row[0], Rounds()).put(row[1], row[2], float(row[3]))
    ghz, figures = cycles_of_ns(), {}
    entry = modes.get("enter")
    exit_ns = statistics.median(entry.cost["nothing"].values()) if entry else math.nan
    for mode, words in MODES.items():
        if mode not in modes:
            continue
        rounds = modes[mode]
        print(f"A pair of programs {words.format(lines=lines)}:"
              f" {len(rounds.cost['nothing'])} rounds.")
        rows = [["", "floor = 1", "added ns", "cycles", "% of an entry", "ns in all"]]
        for name, text in PAIRS.items():
            if name not in rounds.cost:
                continue
            added = list(rounds.added(name).values())
            middle = statistics.median(added)
            ratio = rounds.ratio(name, "clock")
            figures.setdefault(mode, {})[name] = {
                "ratio": ratio, "added_ns": sorted(added), "cycles": middle * ghz,
                "ns": sorted(rounds.cost[name].values())}
            rows.append([text, ratio_text(ratio) if name != "nothing" else "-",
                         spread(added) if name != "nothing" else "-", f"{middle * ghz:.0f}",
                         f"{100 * middle / exit_ns:.1f}",
                         spread(list(rounds.cost[name].values()))])
        show(rows)
    for text, mode, name, to, most in (
            ("exit pair, trace included / clock floor: hot", "hot", "ours", "clock", 1.25),
            ("the same, cold", "cold", "ours", "clock", 1.35),
            ("the same with two probe reads, hot", "hot", "probe", "clock", 1.55),
            ("exit pair with causes / clock floor: hot", "hot", "causes", "clock", 1.40),
            ("the same, cold", "cold", "causes", "clock", 1.50),
            ("exit pair with causes and ledger / clock floor: hot", "hot", "both", "clock", 1.40),
            ("the same, cold", "cold", "both", "clock", 1.50),
            ("a key's event / empty program", "hot", "one-key", "one-empty", 2)):
        ratio = modes[mode].ratio(name, to) if mode in modes else None
        bars.put(text, most, ratio and ratio[0], ratio_text(ratio))
    ratio = modes["hot"].ratio("one-trace", "one-empty") if "hot" in modes else None
    bars.put("trace event / empty program (lower end)", 1.15, ratio and ratio[1],
             ratio_text(ratio))
    for text in lost:
        print(f"LOST: {text}")
    return figures, not lost


def show_collectors(directory, bars, event, cpu):
    rounds, lost, figures = Rounds(), {}, {}
    for name, number, events, ns, counted, needed in read(directory, "rounds"):
        rounds.put(name, number, int(ns) / int(events))
        if counted != "-" and int(counted) < int(needed):
            lost.setdefault(name, f"LOST: counted {counted} of {needed}")
    skipped = read(directory, "skipped")
    if skipped:
        number = len(rounds.cost.get("nothing", {}))
        print(f"Collectors that count {event}, each a program of its own: {number} rounds on"
              f" CPU {cpu}.")
        rows = [["", "ours = 1", "added ns/event", "ns/event", "counted"]]
        for name, why in skipped:
            if why or name not in rounds.cost:
                rows.append([COLLECTORS[name], "-", "-", "-", f"skipped: {why}"])
                continue
            own = spread(list(rounds.cost[name].values()))
            if name == "nothing":
                rows.append([COLLECTORS[name], "-", "-", own, "-"])
                continue
            ratio = rounds.ratio(name, "ours")
            figures[name] = {"ratio": ratio, "added_ns": sorted(rounds.added(name).values())}
            rows.append([COLLECTORS[name], ratio_text(ratio),
                         spread(list(rounds.added(name).values())), own,
                         lost.get(name, "all")])
        show(rows)
        again = len(read(directory, "again"))
        if again:
            print(f"{again} runs were repeated, because another program counted {event}.\n")
    ratio = rounds.ratio("ours", "stock") if rounds.cost else None
    bars.put("trace event / stock agent", 0.30, ratio and ratio[0], ratio_text(ratio))
    return figures, not lost


def show_boot(directory, bars):
    rounds = Rounds()
    for _, name, number, ns in read(directory, "boot"):
        least = min(int(ns), rounds.cost.get(name, {}).get(number, math.inf))
        rounds.put(name, number, least)
    if rounds.cost:
        nothing = rounds.cost["nothing"]
        print("Real exits under emulation: the guest's CPU time, the least of the runs of each of"
              f" {len(nothing)} rounds.")
        show([["", "perf kvm stat = 1", "added, % of the guest's"]] +
             [[text, ratio_text(rounds.ratio(name, "perf")),
               spread([100 * ns / nothing[number]
                       for number, ns in rounds.added(name).items()], "{:.0f}")]
              for name, text in (("ours", "pmdakvm: kvm_exit and kvm_entry, exits by reason"),
                                 ("all", "the same, causes and the ledger"),
                                 ("perf", "perf kvm stat record"))])
    ratio = rounds.ratio("ours", "perf") if rounds.cost else None
    bars.put("exit pair / perf kvm stat record, in QEMU", 0.6, ratio and ratio[0],
             ratio_text(ratio))
    return rounds.cost


# The columns of a line of bin/fetch, and of the file "fetch" behind them.
FETCH = ["metrics", "values", "first", "latency", "cpu", "pmcd", "client"]
BATCH = FETCH + ["rss", "files"]
AGENT_ROWS = [
    ("cpu", "agent's CPU time", " us", "{:.1f}", 1e3),
    ("latency", "until the answer", " us", "{:.1f}", 1e3),
    ("first", "the first answer", " ms", "{:.1f}", 1e6),
    ("rss", "resident memory", " MiB", "{:.2f}", 1024),
    ("files", "open files", "", "{:.0f}", 1),
]


def show_agents(directory, bars):
    kinds, figures, ratio = {}, {}, None
    for kind, events, *numbers in read(directory, "fetch"):
        kinds.setdefault(events, {}).setdefault(kind, []).append(
            dict(zip(BATCH, map(int, numbers))))
    for events, batches in kinds.items():
        one = batches["ours"][0]
        print(f"A fetch of {one['metrics']} trace metrics, {one['values']} values, through pmcd:")
        rows = [["", "ours/stock"] + list(batches)]
        for column, words, unit, form, divisor in AGENT_ROWS:
            values = {kind: [batch[column] / divisor for batch in own]
                      for kind, own in batches.items()}
            cell = "-"
            if "stock" in values:
                ours, stock = (statistics.median(values[kind]) for kind in ("ours", "stock"))
                cell = f"{ours / stock:.2f}"
                if (events, column) == ("all", "cpu"):
                    ratio = ours / stock
            figures.setdefault(events, {})[column] = values
            rows.append([words, cell] + [spread(values[kind], form) + unit for kind in batches])
        show(rows)
    bars.put("agent's CPU per fetch of all trace events / stock agent's", 0.6, ratio,
             f"{ratio:.2f}" if ratio is not None else "")
    starts = {}
    for what, ns, *events in read(directory, "start"):
        starts.setdefault(what, []).append(int(ns) / 1e6)
    if "start" in starts:
        print(f"From the start of kvmbpf to its values: {spread(starts['start'])} ms;"
              f" to attach all events: {spread(starts.get('attach', []))} ms.\n")
    start = statistics.median(starts["start"]) if "start" in starts else None
    bars.put("start to first value", 150, start, spread(starts.get("start", [])) + " ms", " ms")
    figures["start_ms"] = starts
    return figures


def show_read(directory, bars):
    times = {}
    for what, ns in read(directory, "read"):
        times.setdefault(what, []).append(int(ns) / 1e6)
    if times:
        print("CPU time of sums, in memory like that of the chunks:")
        show([[words, spread(times[what], "{:.2f}") + " ms"] for what, words in READS.items()])
    counts = statistics.median(times["counts"]) if times else None
    both = counts + statistics.median(times["latency"]) if times else None
    bars.put("a read of 4,000 vCPUs x 12 reasons", 2, counts, f"{counts:.2f} ms" if times else "",
             " ms")
    bars.put("the same with histograms", 5, both, f"{both:.2f} ms" if times else "", " ms")
    return times


def show_vms(directory, bars):
    figures, fetches, byte_rows, bar = {}, {}, [], {}
    names = {"statistics": "kvm.vm.stat, kvm.vcpu.stat", "all": "all metrics",
             "instances": "all, and their instances"}
    for what, *fields in read(directory, "vms"):
        if what == "bytes":
            byte_rows.append(fields)
        elif what == "memory":
            figures[what] = [int(field) for field in fields]
        else:
            kind, *numbers = fields
            fetches.setdefault(what, {}).setdefault(kind, []).append(
                dict(zip(FETCH, map(int, numbers))))
    rows = [["", "values", "until the answer", "/ constants", "CPU of: agent", "pmcd", "client"]]
    for what, kinds in fetches.items():
        ms = {kind: {column: [batch[column] / 1e6 for batch in batches]
                     for column in ("latency", "cpu", "pmcd", "client")}
              for kind, batches in kinds.items()}
        ratio = (statistics.median(ms["ours"]["latency"]) /
                 statistics.median(ms["constant"]["latency"]))
        figures[what] = {"values": kinds["ours"][0]["values"], "ratio": ratio, "ms": ms}
        bar[what] = statistics.median(ms["ours"]["latency"]), ratio
        for kind in kinds:
            rows.append([names[what] if kind == "ours" else "  as many constants",
                         str(kinds[kind][0]["values"]), spread(ms[kind]["latency"]) + " ms",
                         f"{ratio:.2f}" if kind == "ours" else "1",
                         *(spread(ms[kind][column]) + " ms"
                           for column in ("cpu", "pmcd", "client"))])
    if fetches:
        print("Many VMs of one vCPU, through pmcd, beside an agent that answers constants:")
        show(rows)
    idle = None
    if "memory" in figures:
        none, there, few, many = (size / 1024 for size in figures["memory"])
        idle = none
        print("Resident memory of an agent with all families, after a fetch of all metrics:")
        show([["no VM", f"{none:.1f} MiB"], ["with the VMs", f"{there:.1f} MiB"],
              ["after 100 more, one by one", f"{few:.1f} MiB"],
              ["after 10,000 more, one by one", f"{many:.1f} MiB"]])
        print("Bytes of its maps in the kernel:")
        show([[name, f"{int(size) / 1024:.0f} KiB"] for name, size in byte_rows] or [["none"]])
    latency, ratio = bar.get("all", (None, None))
    bars.put("all metrics of 1,000 VMs of one vCPU", 30, latency,
             f"{latency:.1f} ms, {ratio:.2f} of constants" if latency is not None else "", " ms")
    bars.put("resident memory, no VM, all families", 10, idle,
             f"{idle:.1f} MiB" if idle is not None else "", " MiB")
    figures["bytes"] = byte_rows
    return figures


def main():
    directory, event, cpu, path = sys.argv[1:]
    bars, figures = Bars(), {"kernel": platform.release(), "event": event}
    print(f"Linux {platform.release()}, {cycles_of_ns():.1f} GHz. Medians [quartiles]; ratios of"
          " medians [90 %];\nwhat is added is relative to nothing in the same round.\n")
    figures["pairs"], whole = show_pairs(directory, bars, os.environ.get("LINES", "?"))
    figures["collectors"], all_there = show_collectors(directory, bars, event, cpu)
    figures["boot"] = show_boot(directory, bars)
    figures["agents"] = show_agents(directory, bars)
    figures["read"] = show_read(directory, bars)
    figures["vms"] = show_vms(directory, bars)
    absent = read(directory, "absent")
    for what, why in absent:
        print(f"not available: {what}: {why}")
    print("What was to come out:")
    bars.show()
    figures["bars"], figures["absent"] = bars.rows, absent
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)
    if not (whole and all_there):
        print("FAILED: a collector lost events")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
