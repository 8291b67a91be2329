#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# build-folder.sh FOLDER: print the name by which make is to know the folder to build in.
# make and its recipes have no way to quote file names: a folder whose name has blanks,
# quotes or the like, or begins with a dash, is built in by way of a link, build/at-NUMBER,
# which is made here.
#
# A folder that holds the checkout is refused: "make clean" removes what is built in.
set -eu

real=$(realpath -m -- "$1")
case $(pwd -P)/ in
"${real%/}"/*)
	printf 'make: O is %s, and holds the checkout; take a folder of its own\n' "$1" >&2
	exit 1
	;;
esac
case $1 in
-* | *[!A-Za-z0-9/._+@=-]*) ;;
*)
	printf '%s\n' "$1"
	exit
	;;
esac
link=build/at-$(printf %s "$1" | cksum | cut -d' ' -f1)
[ "$(readlink "$link")" != "$real" ] || [ ! -d "$link" ] || {
	echo "$link"
	exit
}
mkdir -p build -- "$real"
ln -sfn -- "$real" "$link"
echo "$link"
