#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# kernels.sh TOP BUILD FILE: run the tests of machines and kernels that $KERNELS names (see run.sh), of all
# with every other boot. FILE, a page of what they found, is made of the lines that they write to
# $KERNELS_TABLE, and of what it says of kernels that were not chosen.
set -euo pipefail
top=$1 build=$2 page=$3

# rows PAGE: the page's table as lines such as the tests write.
rows() {
	[ ! -e "$1" ] || awk -F' *[|] *' '
	/^\| name \|/ {
		for (i = 4; i < NF; i++)
			families[i] = $i
		next
	}
	/^\| [a-z0-9]+-/ { line[++lines] = $0 }
	/^[0-9]+\. / {
		text = $0
		sub(/^[0-9]+\. /, "", text)
		note[$1 + 0] = text
	}
	# a cell, such as "exact (2)"
	function verdict(text,	kind, number, words) {
		kind = number = text
		sub(/ .*/, "", kind)
		words = sub(/.*\(/, "", number) ? note[number + 0] : ""
		return kind == "not" ? "known: " words : kind == "skipped" ? kind ": " words : kind (words ? " " words : "")
	}
	END {
		for (i = 1; i <= lines; i++) {
			cells = split(line[i], cell, / *\| */)
			begin = cell[2] "\t" cell[3] "\t"
			if (cell[4] ~ /^(skipped|failed)/) {
				print begin "-\t" verdict(cell[4])
				continue
			}
			for (j = 4; j < cells; j++) {
				if (families[j] != "besides" && cell[j] != "-")
					print begin families[j] "\t" verdict(cell[j])
			}
			n = split(cell[cells - 1], besides, ", ")
			for (j = 1; j <= n && besides[j] != "-"; j++) {
				family = besides[j]
				sub(/ .*/, "", family)
				print begin family "\t" verdict(substr(besides[j], length(family) + 2))
			}
		}
	}' "$1"
}

: >"$KERNELS_TABLE"
parts=(boot-kernels)
[ "$KERNELS" != all ] || mapfile -t parts < <(basename -s .bats "$top"/tests/boot/*.bats | sed 's/^/boot-/')
status=0
"$top/tests/run.sh" "$top" "$build" "${parts[@]}" || status=$?
[ -s "$KERNELS_TABLE" ] || exit "$status"
[ "$KERNELS" = all ] || rows "$top/$page" |
	awk -F'\t' 'NR == FNR { booted[$1]; next } !($1 in booted)' "$KERNELS_TABLE" - >>"$KERNELS_TABLE"
mkdir -p "$(dirname "$top/$page")"
{
	cat <<-'END'
		<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
		<!-- Copyright (c) 2026 The pmdakvm authors -->
		# Kernels: where counts are exact

		Written by `make check-kernels`: do not edit. Each row is one of Debian's kernels, booted on an
		emulated machine, where guests did a known number of things. `make check-kernels KERNELS=NAME`
		boots it again, and writes its row anew.

		- **amd** is kvm-amd under QEMU, **intel** kvm-intel under Bochs (a Haswell; **skylake** has PML),
		  **arm64** under QEMU; **host** is the host that the tests ran on, whose KVM is PVM.
		- **exact**: every count is the kernel's own and what the guests did: events by CPU (trace);
		  exits by reason, of the host and by VM (exit, userspace_exit); statistics by VM and vCPU (stat,
		  against KVM_GET_STATS_FD); accesses by cause, and all causes are all exits (cause); the states of
		  vCPUs' time add up to the total, to the nanosecond, of the host, VMs and vCPUs, and a VMM that
		  slept was away as long (ledger). kvmbpf had two capabilities, CAP_BPF and CAP_PERFMON.
		- **overcommit**: trace, exit, userspace_exit and the ledger's sums once more, with more vCPUs than
		  CPUs.
		- **with what was missed**: so they are elsewhere.
		- **besides**: on some kernels, more is tried:
		  **raw**, overcommit once more, by raw tracepoints alone, where they can be preempted: counts and
		  kvm.agent.event.missed are together the kernel's own;
		  **nested**, a guest's guest: all exits that it takes, and those that the guest gets;
		  **pause**, exits of loops with PAUSE (PLE); **dirty**, the processor's log of pages that a
		  guest has written to (PML); **old**, the exit programs of before the engine, attached beside
		  ours: by reason they have counted and timed as many exits; **nojit**, with programs that the
		  kernel does not compile (net.core.bpf_jit_enable is 0): so it has no typed loads;
		  **agent**, below pmcd on arm64, as a daemon and as a DSO: what a guest did, and the metrics that
		  reports name (on x86 other tests show that).
		- **integrity**, **confidentiality**: the newest kernel on amd, in that lockdown mode. Under
		  confidentiality the kernel's own counts cannot be read: there what the guests did decides.
		- **not**: why is below the table. A test fails when that changes. **failed**: the test itself did.

		No kernel warned or was tainted meanwhile.

	END
	LC_ALL=C sort -s -V "$KERNELS_TABLE" | awk -F'\t' '
	BEGIN {
		split("trace exit userspace_exit stat cause ledger overcommit besides", families, " ")
		head = "| name | kernel |"
		rule = "|---|---|"
		for (i = 1; i in families; i++) {
			head = head " " families[i] " |"
			rule = rule "---|"
		}
		print head
		print rule
	}
	function row(	i, line) {
		line = "| " name " | " version " |"
		for (i = 1; i in families; i++)
			line = line " " (families[i] in cell ? cell[families[i]] : "-" in cell ? cell["-"] : "-") " |"
		print line
		split("", cell)
	}
	$1 != name && NR > 1 { row() }
	{
		name = $1
		version = $2
		kind = text = $4
		sub(/[: ].*/, "", kind)
		sub(/^(exact|known:|skipped:|failed) */, "", text)
		if (text != "" && !(text in note)) {
			note[text] = ++notes
			order[notes] = text
		}
		text = (kind == "known" ? "not" : kind) (text == "" ? "" : " (" note[text] ")")
		if ($3 ~ /^(trace|exit|userspace_exit|stat|cause|ledger|overcommit|-)$/)
			cell[$3] = text
		else
			cell["besides"] = cell["besides"] ("besides" in cell && cell["besides"] != "" ? ", " : "") $3 " " text
	}
	END {
		row()
		print ""
		for (i = 1; i <= notes; i++)
			print i ". " order[i]
	}'
} >"$top/$page.new"
mv "$top/$page.new" "$top/$page"
exit "$status"
