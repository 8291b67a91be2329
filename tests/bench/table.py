# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""table.py DIR EVENT CPU: print what tests/bench/run has measured, from the
tab-separated files that it left in DIR. Fails if a collector lost events."""

import math
import os
import platform
import random
import statistics
import sys

NAMES = {
    "nothing": "nothing",
    "empty": "an empty BPF program",
    "ours": "pmdakvm (kvmbpf)",
    "perf": "perf stat -a",
    "stock": "PCP's stock agent",
    "pair_ours": "the exit family's two",
    "pair_clock": "two that read the clock",
    "pair_empty": "two empty BPF programs",
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


class Rounds:
    """The cost of one event in each round: cost[collector][round], in ns."""

    def __init__(self, directory):
        self.cost = {}
        self.lost = {}
        for name, number, events, ns, counted, needed in read(directory, "rounds"):
            self.cost.setdefault(name, {})[number] = int(ns) / int(events)
            if counted != "-" and int(counted) < int(needed):
                self.lost.setdefault(name, []).append(f"{counted} of {needed}")

    def added(self, name):
        """The added cost in each round, relative to the collector nothing in the same round."""
        nothing = self.cost["nothing"]
        return {number: ns - nothing[number] for number, ns in self.cost[name].items()}

    def ratio(self, name):
        """To ours, of the medians; with what 5 % and 95 % of such would be below,
        had other rounds been drawn from the same ones."""
        own = "pair_ours" if name.startswith("pair_") else "ours"
        ours, other = self.added(own), self.added(name)
        numbers = sorted(ours)
        draw = random.Random(1)  # fixed seed: the same files give the same table

        def of(drawn):
            below = statistics.median(ours[number] for number in drawn)
            above = statistics.median(other[number] for number in drawn)
            return above / below if below > 0 else math.inf

        again = sorted(of(draw.choices(numbers, k=len(numbers))) for _ in range(RESAMPLES))
        return of(numbers), again[RESAMPLES // 20], again[-RESAMPLES // 20]


def guest_row(rounds, name, why):
    if why:
        return [NAMES[name], "-", "-", "-", f"skipped: {why}"]
    own = spread(list(rounds.cost[name].values()))
    if name == "nothing":
        return [NAMES[name], "-", "-", own, "-"]
    counted = f"LOST: counted {rounds.lost[name][0]}" if name in rounds.lost else "all"
    return [NAMES[name], "{:.2f} [{:.2f}..{:.2f}]".format(*rounds.ratio(name)),
            spread(list(rounds.added(name).values())), own, counted]


def show_guest(directory, event, cpu):
    """True if every collector counted every event."""
    rounds = Rounds(directory)
    for name, words in (("stock", "the stock agent"), ("perf", "perf stat")):
        if name in rounds.cost:
            print(f"To a guest, ours is {rounds.ratio(name)[0]:.1f} x cheaper than {words}.")
    if rounds.cost:
        number = len(rounds.cost["nothing"])
        print(f"\nCost added by counting {event}: {number} rounds on CPU {cpu},"
              f" Linux {platform.release()}.")
        print("Medians of CPU time [quartiles], relative to nothing in the same round; ratios of"
              " medians [90 %].")
    head = ["collector", "ours = 1", "added ns/event", "ns/event", "counted"]
    skipped = read(directory, "skipped")
    show([head] + [guest_row(rounds, *row) for row in skipped
                   if not row[0].startswith("pair_")])
    print("The same for a pair: two programs, as on kvm_exit and kvm_entry, which get a real vCPU"
          " at each event.")
    show([head] + [guest_row(rounds, *row) for row in skipped if row[0].startswith("pair_")])
    again = len(read(directory, "again"))
    if again:
        print(f"{again} runs were repeated, because another program counted {event} meanwhile.\n")
    return not rounds.lost


# The columns of the file "fetch", a line for each batch; and how to show them: text, unit,
# format, divisor.
BATCH = ["metrics", "values", "first", "latency", "cpu", "attach", "rss", "files"]
AGENT_ROWS = [
    ("cpu", "agent's CPU time", " us", "{:.1f}", 1e3),
    ("latency", "until the answer", " us", "{:.1f}", 1e3),
    ("attach", "to attach them", " ms", "{:.1f}", 1e6),
    ("rss", "resident memory", " MiB", "{:.2f}", 1024),
    ("files", "open files", "", "{:.0f}", 1),
]


def show_agents(directory):
    kinds = {}
    for kind, *numbers in read(directory, "fetch"):
        kinds.setdefault(kind, []).append(dict(zip(BATCH, map(int, numbers))))
    if not kinds:
        return
    one = kinds["ours"][0]
    print(f"The agents' cost of fetching {one['metrics']} metrics, {one['values']} values:")
    rows = [["", "ours/stock"] + list(kinds)]
    for column, words, unit, form, divisor in AGENT_ROWS:
        values = {kind: [batch[column] / divisor for batch in batches]
                  for kind, batches in kinds.items()}
        ratio = "-"
        if "stock" in values:
            ours, stock = (statistics.median(values[kind]) for kind in ("ours", "stock"))
            ratio = f"{ours / stock:.2f}"
        rows.append([words, ratio] + [spread(values[kind], form) + unit for kind in kinds])
    show(rows)


def show_vms(directory):
    for vms, metrics, values, first, latency, cpu, *sizes in read(directory, "vms"):
        print(f"All statistics of {vms} VMs with a vCPU each, {metrics} metrics, {values} values:")
        none, all_there, few, many = (int(size) / 1024 for size in sizes)
        show([["until the answer", f"{int(latency) / 1e6:.1f} ms"],
              ["agent's CPU time", f"{int(cpu) / 1e6:.1f} ms"],
              ["resident memory", f"{all_there:.1f} MiB; before the VMs {none:.1f} MiB"],
              ["after 100 more, one by one", f"{few:.1f} MiB"],
              ["after 10,000 more, one by one", f"{many:.1f} MiB"]])


def main():
    directory, event, cpu = sys.argv[1:]
    whole = show_guest(directory, event, cpu)
    attach = read(directory, "attach")
    if attach:
        times = [int(ns) / 1e6 for ns, _ in attach]
        print(f"Time to attach all {attach[0][1]} events of this kernel: {spread(times)} ms.")
    print()
    show_agents(directory)
    show_vms(directory)
    if not whole:
        print("FAILED: a collector lost events")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
