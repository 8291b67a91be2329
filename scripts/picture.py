#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
picture.py IN OUT.png [WIDTH HEIGHT]: make a small PNG of a screen's dump (Xvfb -fbdir, 32 bits a pixel) or
of a PNG: its left upper corner, in at most 64 colours, or in grey where it has no other.
"""
import collections
import struct
import sys
import zlib


def read_dump(data):
    """(width, height, rows of (red, green, blue)) of an X window dump"""
    head = struct.unpack(">25I", data[:100])
    size, width, height, line, colours = head[0], head[4], head[5], head[12], head[19]
    start, rows = size + 12 * colours, []
    for y in range(height):
        row = data[start + y * line:start + y * line + 4 * width]
        rows.append([(row[i + 2], row[i + 1], row[i]) for i in range(0, 4 * width, 4)])
    return width, height, rows


def read_png(data):
    """The same of a PNG with 8 bits a sample, as Chromium writes it"""
    place, packed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        body = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            if depth != 8 or colour not in (2, 6):
                raise ValueError("not a PNG of 8 bits with red, green and blue")
            step = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            packed += body
        place += length + 12
    raw, rows, before = zlib.decompress(packed), [], bytearray(step * width)
    for y in range(height):
        start = y * (step * width + 1)
        row = bytearray(raw[start + 1:start + 1 + step * width])
        unfilter(raw[start], row, before, step)
        rows.append([tuple(row[i:i + 3]) for i in range(0, step * width, step)])
        before = row
    return width, height, rows


def unfilter(kind, row, before, step):
    """A line of a PNG as it was"""
    for i, value in enumerate(row):
        left, up = row[i - step] if i >= step else 0, before[i]
        if kind == 1:
            value += left
        elif kind == 2:
            value += up
        elif kind == 3:
            value += (left + up) // 2
        elif kind == 4:
            corner = before[i - step] if i >= step else 0
            guess = left + up - corner
            value += min((left, up, corner), key=lambda near: abs(guess - near))
        row[i] = value & 255


def indexed(rows):
    """(palette, rows of numbers in it): the most frequent colours, for the others the nearest"""
    counts = collections.Counter(pixel for row in rows for pixel in row)
    palette = [pixel for pixel, _ in counts.most_common(64)]
    numbers = {pixel: i for i, pixel in enumerate(palette)}
    for pixel in counts:
        if pixel not in numbers:
            numbers[pixel] = min(range(len(palette)), key=lambda i: sum(
                (a - b) ** 2 for a, b in zip(palette[i], pixel)))
    return palette, [bytes(numbers[pixel] for pixel in row) for row in rows]


def chunk(kind, body):
    """A part of a PNG"""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def main():
    """The exit status is that of Python"""
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    width, height, rows = (read_png if data.startswith(b"\x89PNG") else read_dump)(data)
    if len(sys.argv) > 3:
        width, height = min(width, int(sys.argv[3])), min(height, int(sys.argv[4]))
    # what is blank at the lower end goes
    while height > 1 and len(set(rows[height - 1][:width])) == 1 and rows[height - 1][0] == rows[height - 2][0]:
        height -= 1
    palette, lines = indexed([row[:width] for row in rows[:height]])
    with open(sys.argv[2], "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)) +
                   chunk(b"PLTE", b"".join(map(bytes, palette))) +
                   chunk(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines), 9)) +
                   chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
