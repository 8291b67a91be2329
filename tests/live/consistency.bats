# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# bats file_tags=idle
#
# Checks that files agree with each other: the metric table, PMNS, help, man pages, README, this
# kernel's events; and the rules of style and layers.

load common

setup() {
	cd "$TOP" || return 1
}

files() {
	git ls-files --cached --others --exclude-standard "$@"
}

# local_agent OPTION...: run pminfo with the DSO, with private folders in WORK: new item numbers
# for this kernel are saved in $WORK/var/pmdakvm/items, not on the host.
local_agent() {
	make_namespace
	mkdir "$WORK/kvm" "$WORK/tmp" "$WORK/var"
	printf '[trace]\n*\n' >"$WORK/kvm/kvm.conf"
	LD_PRELOAD=$SAN_PRELOAD ASAN_OPTIONS=detect_leaks=0 PCP_SYSCONF_DIR=$WORK \
		PCP_VAR_DIR=$WORK/var PCP_TMP_DIR=$WORK/tmp \
		pminfo -L -K clear -K "add,95,$BUILD/pmda_kvm.so,kvm_init" -n "$WORK/ns" "$@"
}

@test "the PMNS is up to date with the table" {
	"$BUILD/tools/pmns" | diff pmns -
}

@test "the PMNS loads, and has a name for every metric of the table" {
	new_work
	run local_agent kvm
	# except the subtrees whose names the agent adds
	names=$(sed -nE 's/^METRIC\("([^"]+)".*/\1/p' src/metrics/metrics.def | grep -v '^kvm\.trace\.')
	found=$(grep '^kvm\.' <<<"$output" | grep -vE '^kvm\.(trace|stat|vm\.stat|vcpu\.stat)\.')
	[ "$(sort <<<"$found")" = "$(sort <<<"$names")" ]
}

@test "help has a text for every metric, and for no other" {
	diff <(sed -nE 's/^METRIC\("([^"]+)".*/\1/p' src/metrics/metrics.def | sort) \
		<(sed -nE 's/^@ ([^ ]+) .*/\1/p' help | sort)
}

@test "pmdakvm(1) lists the metrics as the table and help have them" {
	"$BUILD/tools/man" man/pmdakvm.1 | diff man/pmdakvm.1 -
}

@test "the metric list is made of the page's marked lines, or refused" {
	new_work
	printf 'before\n.\\" METRICS: made by "make tables", do not edit\nformerly\n.\\" END\nafter\n' >"$WORK/page"
	run "$BUILD/tools/man" "$WORK/page"
	[ "$status" = 0 ]
	[[ $output == before* && $output == *after && $output != *formerly* ]]
	[[ $output == *'fBkvm.exit.time\fR (counter, ns, per exit reason)'* ]]
	sed -i '/END/d' "$WORK/page"
	run "$BUILD/tools/man" "$WORK/page"
	[ "$status" = 1 ]
	[[ $output == *"no list between METRICS and END"* ]]
	run "$BUILD/tools/man" "$WORK/none"
	[ "$status" = 1 ]
	[[ $output == *"No such file"* ]]
}

@test "man pages, README and help name only metrics of the table" {
	for name in $(grep -ohE 'kvm\.(agent|trace|control|vm|vcpu|exit|userspace_exit)\.[a-z_.]+[a-z]' man/*.[158] README.md help | sort -u); do
		grep -qE "\"${name//./\\.}[\".]|^SUBTREE\(\"${name%.*}\"" src/metrics/metrics.def || [[ $name == *conf ]] ||
			{ echo "$name"; return 1; }
	done
}

@test "help fits a terminal of 80 columns" {
	for command in "" $("$BUILD/kvmbpf" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		wide=$("$BUILD/kvmbpf" ${command:+"$command"} --help | awk 'length > 80')
		[ -z "$wide" ] || { echo "$wide"; return 1; }
	done
}

@test "man pages have all options of the programs' --help" {
	agent=$("$BUILD/pmdakvm" --help 2>&1 | grep -oE -- '--[a-z0-9]+' | sort -u)
	[ -n "$agent" ]
	for option in $agent; do
		grep -qF -- "\\-\\-${option#--}" man/pmdakvm.1 || { echo "$option"; return 1; }
	done
	commands=$("$BUILD/kvmbpf" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 4 ]
	for command in $commands; do
		grep -qx ".SS kvmbpf $command" man/kvmbpf.8 || { echo "$command"; return 1; }
		# an example of it
		grep -qE "^kvmbpf $command .*|^\.B kvmbpf $command .*" man/kvmbpf.8 || { echo "$command"; return 1; }
		for option in $("$BUILD/kvmbpf" "$command" --help | grep -oE -- '--[a-z0-9-]+' | sort -u); do
			grep -qF -- "${option//-/\\-}" man/kvmbpf.8 || { echo "$command $option"; return 1; }
		done
	done
}

@test "kvmbpf(8) answers each option of other tools, and names only options that kvmbpf has" {
	page=$(sed -n '/^\.SH OTHER TOOLS/,/^\.SH WHAT/p' man/kvmbpf.8 | sed 's/\\f[BR]//g; s/\\-/-/g')
	for option in -1 -c -f -g -l -L -p -s -z --vcpu -k '--duration (live)' -d -a -t -v record report live; do
		grep -qE -- "^$option"$'[,\t ]' <<<"$page" || grep -qF -- "$option"$'\t' <<<"$page" || { echo "$option"; return 1; }
	done
	# each answer is run: a command in bold, dump if there is none, and its options, with a value
	new_work
	sed -n '/^\.SH OTHER TOOLS/,/^\.SH WHAT/p' man/kvmbpf.8 | grep -P '\t' | cut -f2 |
		sed 's/\\fB/@/g; s/\\fR//g; s/\\-/-/g' | tr '(),;:*' ' ' >"$WORK/answers"
	while read -r answer; do
		command=dump
		for word in $answer; do
			[[ $word != @* ]] || command=${word#@}
			[[ $word == @* || $word == -* ]] || continue
			[[ $word == -* ]] || word=--help
			echo "$command $word" >>"$WORK/run"
			timeout 20 "$BUILD/kvmbpf" "$command" "$word" 1 --help >/dev/null || { echo "$answer"; return 1; }
		done
	done <"$WORK/answers"
	[ "$(grep -c ^dump "$WORK/run")" -ge 20 ]
	[ "$(grep -cE '^(save|stat|top) ' "$WORK/run")" -ge 8 ]
}

@test "man pages and shipped kvm.conf are well-formed" {
	need man
	for page in man/*; do
		[ -z "$(MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null)" ]
	done
	new_work
	run "$BUILD/tests/deny_bpf" 38 "$BUILD/kvmbpf" dump -d 0 -c kvm.conf
	[[ $output != *"kvm.conf:"* ]]
}

@test "the shipped kvm.conf names the events that are counted without one" {
	names=$(sed '1,/^\[trace\]$/d; /^#/d' kvm.conf)
	[ "$(wc -l <<<"$names")" = 5 ]
	[ "$names" = "$(sed -n '/default_events\[\] = {/,/};/p' src/base/config.c | grep -oE 'kvm_[a-z_]+')" ]
}

# What tests/data/tracepoints/record found in booted kernels.
@test "every tracepoint of the recorded kernels has an item number in the table" {
	new_work
	sed -nE 's/^TRACE_ITEM\([0-9]+,\s*([a-z_0-9]+),.*/\1/p' src/metrics/tracepoint_items.def | sort >"$WORK/table"
	for list in tests/data/tracepoints/{x86-6.1,x86-6.12,arm64-6.12}.txt tests/data/tracepoints/x86-7.*.txt; do
		grep '^[a-z]' "$list" | sort >"$WORK/list"
		[ "$(wc -l <"$WORK/list")" -gt 30 ]
		comm -23 "$WORK/list" "$WORK/table" | sed "s|^|$list: |" | tee -a "$WORK/lacks"
	done
	[ ! -s "$WORK/lacks" ]
}

@test "the agent exports each event by its item number in the table, or a saved one" {
	need_root
	new_work
	run local_agent -m kvm.trace
	sed -nE 's/^kvm\.trace\.([a-z_0-9]+) PMID: 95\.1\.([1-9][0-9]*)$/\2 \1/p' <<<"$output" | sort >"$WORK/exported"
	[ -s "$WORK/exported" ] || skip "no KVM, or no BTF: this kernel's events cannot be listed"
	{
		sed -nE 's/^TRACE_ITEM\(([0-9]+),\s*([a-z_0-9]+),.*/\1 \2/p' src/metrics/tracepoint_items.def
		[ ! -e "$WORK/var/pmdakvm/items" ] || sed -n 's/^trace //p' "$WORK/var/pmdakvm/items"
	} | sort >"$WORK/known"
	comm -23 "$WORK/exported" "$WORK/known" | tee "$WORK/wrong"
	[ ! -s "$WORK/wrong" ]
}

@test "docs/kernels.md has a row for each test of kernels.bats, with its known failures" {
	names() {
		sed -nE "s/^@test \"([a-z0-9.-]+): $1.*/\1/p" tests/boot/kernels.bats | sort -u # two boots can make a row
	}
	rows() {
		sed -nE "s/^\| ([a-z0-9]+-[a-z0-9.]+) \|.*$1.*/\1/p" docs/kernels.md | sort
	}
	# a host's own row depends on the host
	diff <(names "" | grep -v '^host-') <(rows "" | grep -v '^host-')
	# of a kernel that was skipped nothing is known
	diff <(names known: | grep -vxFf <(rows " skipped \(")) <(rows " not \(")
}

# A kernel that the archive has given up is named; so is a host of another kind.
@test "docs/kernels.md: each cell says exact, but for kernels that are no longer to be had" {
	awk -F' *[|] *' '
		/^\| name \|/ { columns = NF; next }
		/^\| [a-z0-9]+-/ { row[++rows] = $0; n[rows] = NF }
		/^[0-9]+\. / { note[$1 + 0] = $0 }
		function bad(text) { print text; wrong = 1 }
		# is it exact, with a note that is there?
		function exact(text,	number) {
			if (text !~ /^exact( \([0-9]+\))?$/)
				return 0
			number = text
			return !sub(/.*\(/, "", number) || (number + 0) in note
		}
		END {
			for (i = 1; i <= rows; i++) {
				split(row[i], cell, / *\| */)
				number = cell[4]
				sub(/.*\(/, "", number)
				if (cell[4] ~ /^skipped/ && note[number + 0] ~ /no longer to be had|KVM is not PVM|another guest runs/)
					continue
				if (n[i] != columns || cell[3] == "")
					bad("cells: " row[i])
				for (j = 4; j < columns - 1; j++) {
					if (!exact(cell[j]))
						bad(cell[2] ": \"" cell[j] "\"")
				}
				if (cell[columns - 1] == "-" && cell[2] ~ /^host-/)
					continue
				more = split(cell[columns - 1], besides, ", ")
				for (j = 1; j <= more; j++) {
					if (besides[j] !~ /^[a-z]+ / || !exact(substr(besides[j], index(besides[j], " ") + 1)))
						bad(cell[2] ": besides \"" besides[j] "\"")
				}
				if (!more)
					bad(cell[2] ": besides is empty")
			}
			exit wrong || rows < 10
		}' docs/kernels.md
	# a family has a column, and its test; which exits are slow no kernel tells
	for family in $(ls src/families | grep -vE '\.h$|^slow$'); do
		grep -q "^| name .* $family " docs/kernels.md
		grep -q "say(\"$family\")" tests/boot/inside/machine.awk
	done
}

@test "make check-kernels writes the rows of the kernels chosen, and leaves the others" {
	new_work
	mkdir -p "$WORK/top/tests" "$WORK/top/docs"
	cp docs/kernels.md "$WORK/top/docs/"
	# with these results of the tests
	cat >"$WORK/top/tests/run.sh" <<-'END'
		#!/bin/sh
		[ -z "$RESULTS" ] || printf '%s\t%s\t%s\t%s\n' $RESULTS | sed 's/_/ /g' >"$KERNELS_TABLE"
		exit "$STATUS"
	END
	chmod +x "$WORK/top/tests/run.sh"
	written() {
		STATUS=$1 RESULTS=$2 KERNELS=amd-6.1 KERNELS_TABLE=$WORK/table \
			tests/kernels.sh "$WORK/top" none docs/kernels.md
	}
	written 0 "amd-6.1 6.1.0-1 trace exact amd-6.1 6.1.0-1 stat known:_of_a_kind amd-6.1 6.1.0-1 nested exact_because"
	grep -qE '^\| amd-6.1 \| 6.1.0-1 \| exact \| - \| - \| not \(([0-9]+)\) \|.*\| nested exact \([0-9]+\) \|$' "$WORK/top/docs/kernels.md"
	grep -qE '^[0-9]+\. of a kind$' "$WORK/top/docs/kernels.md"
	# the other rows, without the numbers of notes
	rest() { grep '^| [a-z0-9]*-' "$1" | grep -v '^| amd-6.1 ' | sed -E 's/ \([0-9]+\)//g'; }
	diff <(rest docs/kernels.md) <(rest "$WORK/top/docs/kernels.md")
	# a test that fails leaves no row that is exact
	run written 1 "amd-6.1 - - failed"
	[ "$status" = 1 ]
	grep -qE '^\| amd-6.1 \| - \|( failed \|)+$' "$WORK/top/docs/kernels.md"
	diff <(rest docs/kernels.md) <(rest "$WORK/top/docs/kernels.md")
	run written 1 ""
	[ "$status" = 1 ]
}

@test "tracepoint_items.def has unique numbers, and 1 to 5 in the stock agent's order" {
	numbers=$(sed -nE 's/^TRACE_ITEM\(([0-9]+),.*/\1/p' src/metrics/tracepoint_items.def)
	[ "$(sort -n <<<"$numbers" | uniq -d)" = "" ]
	[ "$(sed -nE 's/^TRACE_ITEM\([1-5],\s*([a-z_]+),.*/\1/p' src/metrics/tracepoint_items.def | tr '\n' ' ')" = \
		"kvm_exit kvm_entry kvm_mmio kvm_hypercall kvm_vcpu_wakeup " ]
}

@test "stat_items.def begins with the stock agent's metrics, and has unique numbers" {
	diff <(sed -nE 's/^METRIC\("kvm\.([^"]+)", 0, ([0-9]+),.*/\2 \1/p' src/metrics/metrics.def) \
		<(sed -nE 's/^STAT_ITEM\(([0-9]+),\s*([a-z0-9_]+),.*/\1 \2/p' src/metrics/stat_items.def | head -43)
	numbers=$(sed -nE 's/^STAT_ITEM\(([0-9]+),.*/\1/p' src/metrics/stat_items.def)
	[ "$numbers" = "$(seq 0 $(($(wc -l <<<"$numbers") - 1)))" ]
}

@test "every file has its licence and copyright lines" {
	for file in $(files | grep -vE '^(LICENSE|README.md|HACKING.md|.gitignore|docs/pictures/.*|tests/data/.*|\.ci/allowed-skips[a-z-]*|tests/unit/lsan.supp|kvm.conf)$'); do
		head -3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || { echo "$file"; return 1; }
		head -4 "$file" | grep -q 'Copyright (c) 2026' || { echo "$file"; return 1; }
	done
}

@test "README shows the pictures that there are" {
	diff <(grep -oE '\]\(docs/pictures/[^)]*\)' README.md | sed 's/^](//; s/)$//' | sort) <(files 'docs/pictures/*' | sort)
}

# Versions of clang-format disagree on the format of some code.
@test "C is formatted" {
	need clang-format
	version=$(clang-format --version | sed -nE 's/.*version ([0-9]+)\..*/\1/p')
	[[ $version =~ ^1[4-9]$ ]] ||
		skip "clang-format $version is not known to agree with our format: install one of 14 to 19"
	# shellcheck disable=SC2046
	clang-format --dry-run -Werror $(files '*.c' '*.h')
}

# So it is with a macro that is an initialiser: the braces go where it is used.
@test "no macro is an initialiser in braces" {
	# shellcheck disable=SC2046
	found=$(awk '/^[\t ]*\{[\t ]*\\$/ && before ~ /^#define .*\\$/ { getline
		if ($0 !~ /;/) print FILENAME ":" FNR }
		{ before = $0 }' $(files '*.c' '*.h'))
	echo "$found"
	[ -z "$found" ]
}

# With pipefail a writer that is cut off (SIGPIPE, 141) fails a pipe, now and then: grep -q <<<"$(...)" and
# sed -n 1p read all. bash scripts have pipefail, or are read by those that do; bats has not.
@test "no bash script pipes into what may end early" {
	ends_early='(^|[^|])\|[[:space:]]*(head\b|grep ([^|]* )?-[a-zA-Z]*[qm]|sed ([^|]*[0-9/;{ ])?q\b|awk [^|]*\bexit\b)'
	for line in 'a | head -n 1' 'a | grep -q b' 'a | grep -E -m 1 b' "a | sed '1 q'" "a | awk '{ exit }'"; do
		grep -qE "$ends_early" <<<"$line" || { echo "not seen: $line"; return 1; }
	done
	# shellcheck disable=SC2046
	found=$(grep -HnE "$ends_early" $(grep -lE '^#!.*/bash' $(files) | grep -v '\.bats$') \
		$(files 'scripts/*.sh' 'tests/*.bash') | grep -vE ':[0-9]+:[[:space:]]*#' | sort -u)
	echo "$found"
	[ -z "$found" ]
}

@test "no file has more than 500 lines" {
	for file in $(files '*.c' '*.h' '*.sh' '*.bats' '*.bash' '*.py' Makefile); do
		[ "$(wc -l <"$file")" -le 500 ] || { echo "$file"; return 1; }
	done
}

# "set -e" does not apply to a command after "!", so it cannot fail a test.
@test "no test relies on a command after !" {
	run grep -nE '^[[:space:]]*! ' tests/live/*.bats tests/boot/*.bats
	echo "$output"
	[ "$status" = 1 ]
}

@test "includes follow the layers, without circles" {
	tests/layers.sh "$BUILD"
}

@test "the layer check reports each kind of violation" {
	new_work
	git clone -q "$TOP" "$WORK/clone" 2>/dev/null || skip "not in a git clone: run in one"
	cp -r "$TOP/src" "$TOP/tests" "$WORK/clone/"
	cd "$WORK/clone"
	breaks() {
		echo "$2" >>"$1"
		run tests/layers.sh
		[ "$status" = 1 ] && [[ $output == *"$3"* ]] || { echo "$output"; return 1; }
		sed -i '$d' "$1"
		tests/layers.sh
	}
	breaks src/base/clock.c '#include "kernel/cpus.h"' "base may not know kernel"
	breaks src/command/dump.c '#include "pmda/state.h"' "command may not know pmda"
	breaks src/pmda/fetch.c '#include "vms/vm_register.h"' "pmda may not know vms"
	breaks src/families/stat/stat.c '#include "families/trace/trace_events.h"' "another family's"
	breaks src/base/clock.c '#include "../kernel/cpus.h"' "by .."
	breaks src/base/clock.c '#include "utf8.h"' "without its folder"
	breaks src/vms/vm_names.h '#include "vms/vm_register.h"' "a circle of modules"
}

@test "only src/pmda includes PCP's headers" {
	run grep -rlE '<pcp/' src tools --include='*.[ch]'
	[ -n "$output" ] && [ "$(grep -v '^src/pmda/' <<<"$output")" = "" ]
}

@test "nothing committed names a path of this machine" {
	# only as an absolute path: in a clone in /src, build/src/ and $(O)/src/ are no such path
	# shellcheck disable=SC2046
	run grep -nP "(?<![\\w./)}*%-])\Q$TOP\E/" $(files)
	echo "$output"
	[ "$status" = 1 ]
}

@test "a build leaves git status clean, and needs no root" {
	need_root
	new_work
	git clone -q "$TOP" "$WORK/clone" 2>/dev/null || skip "not in a git clone: run in one"
	chown -R nobody "$WORK"
	run setpriv --reuid nobody --clear-groups env HOME="$WORK" \
		unshare -rn make -C "$WORK/clone" -j2 CFLAGS=-O1
	echo "$output" | tail -5
	[ "$status" = 0 ]
	[ -x "$WORK/clone/build/pmdakvm" ] && [ -x "$WORK/clone/build/kvmbpf" ] && [ -f "$WORK/clone/build/pmda_kvm.so" ]
	[ "$(git -c safe.directory='*' -C "$WORK/clone" status --porcelain)" = "" ]
	# without a change nothing is rebuilt; a changed header rebuilds the files that include it
	cd "$WORK/clone"
	run make --no-print-directory CFLAGS=-O1
	[ "$output" = "make: Nothing to be done for 'all'." ]
	touch bpf/trace.h
	run make CFLAGS=-O1
	[[ $output == *trace.bpf.c* && $output == *src/families/trace/trace.c* && $output != *src/base/config.c* ]]
}

# The first column of the table in docs/performance.md that has this head, a name per line.
performance_names() {
	sed -n "/^| $1 |/,/^\$/p" "$TOP/docs/performance.md" | sed -n '3,$s/^| \([^|]*\) |.*/\1/p' |
		tr -d ' ' | tr ',' '\n' | sort
}

@test "docs/performance.md has the bench's variants and modes" {
	[ "$(performance_names variant)" = "$(sed -n 's/.*\.name = "\([a-z-]*\)".*/\1/p' \
		"$TOP/tests/bench/pair.c" | sort)" ]
	[ "$(performance_names mode)" = "$(sed -n 's/^static const char \*const mode_names.*{ \(.*\) };/\1/p' \
		"$TOP/tests/bench/pair.c" | tr -d '" ' | tr ',' '\n' | sort)" ]
	[ "$(performance_names mode | grep -c .)" = 5 ]
}
