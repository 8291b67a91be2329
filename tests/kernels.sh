#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# kernels.sh TOP BUILD [FILE]: run the tests of machines and kernels that $KERNELS names (see run.sh), of
# all with every other boot, and make FILE, a page of what they found, of the lines that they write to
# $KERNELS_TABLE.
set -euo pipefail
top=$1 build=$2 page=${3:-}

: >"$KERNELS_TABLE"
parts=(boot-kernels)
[ "$KERNELS" != all ] || mapfile -t parts < <(basename -s .bats "$top"/tests/boot/*.bats | sed 's/^/boot-/')
"$top/tests/run.sh" "$top" "$build" "${parts[@]}"
[ -n "$page" ] || exit 0
mkdir -p "$(dirname "$top/$page")"
{
	cat <<-'END'
		<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
		<!-- Copyright (c) 2026 The pmdakvm authors -->
		# Kernels: where counts are exact

		Written by `make check-kernels`: do not edit. Each row is one of Debian's kernels, booted on an
		emulated machine, where guests did a known number of things. `make check-kernels KERNELS=NAME`
		boots it again.

		- **amd** is kvm-amd under QEMU, **intel** kvm-intel under Bochs (a Haswell; **skylake** has PML),
		  **arm64** under QEMU.
		- **exact**: every count is the kernel's own and what the guests did: events by CPU (trace);
		  exits by reason, of the host and by VM (exit, userspace_exit); statistics by VM and vCPU (stat,
		  against KVM_GET_STATS_FD). kvmbpf had two capabilities, CAP_BPF and CAP_PERFMON.
		- **overcommit**: trace, exit and userspace_exit once more, with more vCPUs than CPUs.
		- **with what was missed**: so they are elsewhere.
		- **besides**: on some kernels, more is tried:
		  **raw**, overcommit once more, by raw tracepoints alone, where they can be preempted: counts and
		  kvm.agent.event.missed are together the kernel's own;
		  **nested**, a guest's guest: all exits that it takes, and those that the guest gets;
		  **pause**, exits of loops with PAUSE (PLE); **dirty**, the processor's log of pages that a
		  guest has written to (PML);
		  **agent**, below pmcd on arm64, as a daemon and as a DSO: what a guest did, and the metrics that
		  reports name (on x86 other tests show that).
		- **integrity**, **confidentiality**: the newest kernel on amd, in that lockdown mode. Under
		  confidentiality the kernel's own counts cannot be read: there what the guests did decides.
		- **not**: why is below the table. A test fails when that changes.

		No kernel warned or was tainted meanwhile.

	END
	LC_ALL=C sort -s -V "$KERNELS_TABLE" | awk -F'\t' '
	BEGIN {
		split("trace exit userspace_exit stat overcommit besides", families, " ")
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
		sub(/^(exact|known:|skipped:) */, "", text)
		if (text != "" && !(text in note)) {
			note[text] = ++notes
			order[notes] = text
		}
		text = (kind == "known" ? "not" : kind) (text == "" ? "" : " (" note[text] ")")
		if ($3 ~ /^(trace|exit|userspace_exit|stat|overcommit|-)$/)
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
