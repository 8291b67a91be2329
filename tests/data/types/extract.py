#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""extract.py OUT FILE: write the type information (BTF) that a kernel's image or a module has.

A module has it in an ELF section. An image has it somewhere within, plain or in what is compressed;
gzip, xz, zstd and lz4, whichever it is, must be installed.
"""
import struct
import subprocess
import sys

HEADER = struct.Struct("HBBIIIII")
COMPRESSED = [
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dc"]),
    (b"\xfd7zXZ\0", ["xz", "-dc", "--single-stream"]),
    (b"\x1f\x8b\x08", ["gzip", "-dc"]),
    (b"\x02\x21\x4c\x18", ["lz4", "-dc"]),
]
LEAST = 1 << 20  # of a kernel's types


def places(data, magic):
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def types_within(data):
    for magic, order in ((b"\x9f\xeb\x01", "<"), (b"\xeb\x9f\x01", ">")):
        for at in places(data, magic):
            head = data[at:at + HEADER.size]
            if len(head) < HEADER.size:
                continue
            _, _, _, size, types, types_len, strings, strings_len = struct.unpack(
                order + HEADER.format, head)
            if size == HEADER.size and types == 0 and types_len > LEAST and strings == types_len:
                return data[at:at + size + types_len + strings_len]
    return None


def payloads(data):
    yield data
    for magic, command in COMPRESSED:
        for at in places(data, magic):
            run = subprocess.run(command, input=data[at:], capture_output=True, check=False)
            if len(run.stdout) > LEAST:
                yield run.stdout


def section(data, name):
    order = "<" if data[5] == 1 else ">"
    start, = struct.unpack_from(order + "Q", data, 0x28)
    size, count, names = struct.unpack_from(order + "HHH", data, 0x3a)
    heads = [struct.unpack_from(order + "IIQQQQ", data, start + i * size) for i in range(count)]
    for head in heads:
        at = heads[names][4] + head[0]
        if data[at:data.index(b"\0", at)] == name:
            return data[head[4]:head[4] + head[5]]
    return None


def main():
    with open(sys.argv[2], "rb") as file:
        data = file.read()
    if data[:4] == b"\x7fELF" and data[16] + data[17] == 1:  # a relocatable file
        types = section(data, b".BTF")
    else:
        types = next(filter(None, map(types_within, payloads(data))), None)
    if not types:
        sys.exit(f"extract.py: no type information in {sys.argv[2]}")
    with open(sys.argv[1], "wb") as file:
        file.write(types)


main()
