# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Compares with tests/data/golden what users see and archives hold: PMIDs and descriptions of the
# table's metrics, kvmbpf's output of a recorded snapshot, and the log of a start. Nothing here
# depends on this host's kernel. After an intended change, GOLDEN=write make check TESTS=golden
# rewrites the files; commit the diff with the change.

load common

# golden NAME: standard input equals the file tests/data/golden/NAME.
golden() {
	local file=$TOP/tests/data/golden/$1
	if [ "${GOLDEN:-}" = write ]; then
		cat >"$file"
	else
		diff "$file" -
	fi
}

# log_plain FILE: the log without times, PIDs and the host's name.
log_plain() {
	sed -E -e 's/^\[[^]]*\] pmdakvm\([0-9]+\)/pmdakvm/' -e 's/ on \S+ started .*/ started/' \
		-e 's/^(Log finished).*/\1/' -e 's/in [0-9.]+ ms/in N ms/' -e "s|$WORK|DIR|g" "$1"
}

# with_pmcd COMMAND...: start a private pmcd with our agent, run the command, stop pmcd.
with_pmcd() {
	pmcd_env "$WORK"
	printf '[bpf]\npin = none\n[paths]\nlockdown = /nowhere\n[trace]\nkvm_pio\n' >"$WORK/kvm.conf"
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	[ -z "${AGENT_PREFIX:-}" ] || sed -i "s|binary |binary $AGENT_PREFIX |" "$WORK/pmcd.conf"
	pmcd_start "$WORK" >&2
	"$@"
	pmcd_stop
}

setup() {
	need_root
	new_work
}

@test "PMIDs, instance domains, types, semantics and units of the table's metrics" {
	# descriptions do not depend on the kernel's bpf()
	AGENT_PREFIX="$BUILD/tests/deny_bpf 38" with_pmcd pminfo -h "unix://$WORK/pmcd.socket" -dm \
		$(sed -nE 's/^METRIC\("([^"]+)".*/\1/p' "$TOP/src/metrics/metrics.def") >"$WORK/out"
	golden pminfo-dm.txt <"$WORK/out"
}

@test "kvmbpf dump --load: all tables, JSON, chosen metrics" {
	local load=("$BUILD/kvmbpf" dump --load "$TOP/tests/data/exits.snapshot")
	{
		for options in "" --all --no-halt --json "-m kvm.vm.exit.*" "-e kvm_e*"; do
			echo "# kvmbpf dump $options"
			# shellcheck disable=SC2086
			"${load[@]}" $options
		done
	} >"$WORK/out"
	golden dump-load.txt <"$WORK/out"
}

@test "the log of a start" {
	need_kvm
	with_pmcd true
	log_plain "$WORK/kvm.log" | golden start.log
}

@test "the log of a start where bpf() is refused" {
	AGENT_PREFIX="$BUILD/tests/deny_bpf 1" with_pmcd true
	log_plain "$WORK/kvm.log" | golden start-refused.log
}
