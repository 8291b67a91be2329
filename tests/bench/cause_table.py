#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""Simulate the table of causes on streams of accesses that tests/qemu-boot.sh recorded.

cause_table.py STREAM...: for each layout, how much goes to "other", and what the heaviest keys keep.
docs/cause-table.md has the findings."""
import collections
import random
import sys

KINDS = {"io": 1, "msr": 2, "cpuid": 3, "mmio": 7}  # bpf/cause.h
WRITE = 1 << 55
GOLDEN = 0x9E3779B97F4A7C15  # the table's multiplier
SECOND = 0xC2B2AE3D27D4EB4F  # another, for a second choice
MASK = (1 << 64) - 1
MULTIPLIERS = 30


def key(text):
    kind, number, *direction = text.split(":")
    return KINDS[kind] << 56 | (WRITE if direction == ["w"] else 0) | int(number, 16)


def simulate(keys, bits, ways, choices=1, multiplier=GOLDEN):
    """2^bits sets. A miss in a full set votes against its weakest key, which goes at as many votes as
    it has accesses. Returns the keys' accesses that are left, and those of "other"."""
    table = [[] for _ in range(1 << bits)]
    other = 0
    for k in keys:
        sets = []
        for m in (multiplier, SECOND)[:choices]:
            one = table[(k * m & MASK) >> (64 - bits)]
            if not any(one is s for s in sets):
                sets.append(one)
        slots = [slot for one in sets for slot in one]
        hit = next((slot for slot in slots if slot[0] == k), None)
        if hit:
            hit[1] += 1
            continue
        shortest = min(sets, key=len)
        if len(shortest) < ways:
            shortest.append([k, 1, 0])
            continue
        weakest = min(slots, key=lambda slot: slot[1] - slot[2])
        weakest[2] += 1
        if weakest[2] >= weakest[1]:
            other += weakest[1]
            weakest[:] = [k, 1, 0]
        else:
            other += 1
    left = {slot[0]: slot[1] for one in table for slot in one}
    assert sum(left.values()) + other == len(keys)
    return left, other


def shares(keys, left, heaviest):
    top = collections.Counter(keys).most_common(heaviest)
    exact = sum(left.get(k) == n for k, n in top)
    return exact, sum(left.get(k, 0) for k, _ in top) / sum(n for _, n in top)


def report(name, keys, **layout):
    left, other = simulate(keys, **layout)
    rng = random.Random(1)
    worst = 1.0
    for _ in range(MULTIPLIERS):
        multiplier = rng.getrandbits(64) | 1
        worst = min(worst, shares(keys, simulate(keys, multiplier=multiplier, **layout)[0], 10)[1])
    ten, forty = shares(keys, left, 10), shares(keys, left, 40)
    print(f"{name:22} other {other / len(keys):6.2%}  top 10: {ten[0]:2} exact, {ten[1]:7.2%} kept"
          f"  top 40: {forty[0]:2} exact, {forty[1]:7.2%}  worst multiplier: {worst:7.2%} of the top 10")


for path in sys.argv[1:]:
    with open(path, encoding="ascii") as stream:
        accesses = [key(line.split()[0]) for line in stream]
    print(f"{path}: {len(accesses)} accesses of {len(set(accesses))} keys")
    for bits, ways in ((3, 8), (4, 4), (5, 2), (5, 4)):
        for choices in (1, 2):
            name = f"{1 << bits} sets of {ways}" + (", two choices" if choices == 2 else "")
            report(name, accesses, bits=bits, ways=ways, choices=choices)
