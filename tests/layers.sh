#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# layers.sh [BUILD]: hold the sources under src/ to the layers of HACKING.md. Run at the top of
# the tree. A folder includes itself and the folders named beside it, by the folder's path, never
# by "..". No family includes another. No circle of modules, where a module is NAME.c with NAME.h;
# with BUILD, none of object files either, by the symbols that one takes from another. Prints
# what is wrong; exit status 1 then.
set -u

declare -A may=(
	[base]="" [kernel]="base" [metrics]="base" [kvm]="base kernel metrics"
	[vms]="base kernel metrics kvm" [engine]="base kernel metrics kvm vms"
	[families]="base kernel metrics kvm vms engine"
	[collector]="base kernel metrics kvm vms engine families"
	[pmda]="base kernel metrics collector" [command]="base kernel metrics kvm vms collector")
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

complain() {
	echo "$*"
	bad=1
}

# The folder that has a row above: that of families/exit is families.
layer() {
	local dir=$1
	while [ -z "${may[$dir]+x}" ] && [ "$dir" != . ]; do
		dir=$(dirname "$dir")
	done
	echo "$dir"
}

# check FILE INCLUDED: one include, both as paths below src/.
check() {
	local file=$1 included=$2 dir target from to
	dir=$(dirname "$file") target=$(dirname "$included")
	case /$included in
	*/../*) complain "src/$file includes $included by .." && return ;;
	esac
	if [ ! -e "src/$included" ]; then # generated, or of bpf/; or beside the file
		[ ! -e "src/$dir/$included" ] || complain "src/$file includes $included without its folder"
		return
	fi
	from=$(layer "$dir") to=$(layer "$target")
	if [ "$from" = families ] && [ "$to" = families ]; then
		[ "$target" = families ] || [ "$target" = "$dir" ] ||
			complain "src/$file includes another family's $included"
	elif [ "$from" = . ] || [ "$to" = . ]; then
		complain "src/$file or $included lies in no folder of a layer"
	elif [ "$from" != "$to" ] && [[ " ${may[$from]} " != *" $to "* ]]; then
		complain "src/$file includes $included: $from may not know $to"
	fi
	[ "${file%.[ch]}" = "${included%.h}" ] || echo "${file%.[ch]} ${included%.h}" >>"$work/includes"
}

# no_circle WHAT FILE: the file has pairs, the first of which needs the second.
no_circle() {
	local circle
	circle=$(tsort "$2" 2>&1 >/dev/null | sed -E 's/^tsort: //; /contains a loop/d; s/^[^ ]*: //')
	[ -z "$circle" ] || complain "a circle of $1: $(tr '\n' ' ' <<<"$circle")"
}

: >"$work/includes"
while IFS=: read -r file included; do
	check "${file#src/}" "$included"
done < <(grep -roE --include='*.[ch]' '^#include "[^"]+"' src | sed -E 's/#include "([^"]+)"/\1/')
[ -s "$work/includes" ] || complain "no source under src/ includes another: run this at the top of the tree"
no_circle modules "$work/includes"

if [ $# -gt 0 ]; then
	find "$1/src" -name '*.o' -exec nm -A {} + | awk '
		{ sub(/:.*/, "", $1) }
		NF >= 3 && $(NF - 1) ~ /^[TDRB]$/ { owner[$NF] = $1 }
		$(NF - 1) == "U" { user[++n] = $1; symbol[n] = $NF }
		END {
			for (i = 1; i <= n; i++)
				if (symbol[i] in owner && owner[symbol[i]] != user[i])
					print user[i], owner[symbol[i]]
		}' >"$work/symbols"
	[ -s "$work/symbols" ] || complain "$1 has no objects: run make"
	no_circle "object files" "$work/symbols"
fi
exit $bad
