# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Causes of exits in booted Debian kernels, where kvm_exit is real.

load ../live/common
load boot
load ../live/snapshots

# bats test_tags=long
@test "Linux 6.1: accesses are exact by cause and VM; all causes are all exits and all of their time" {
	agent_boot 6.1 cause.sh "" --timeout 200
	grep -q "^missed: 0" "$WORK/out"
}

# report NAME WIDTH: the report of $WORK/archive, of the time that the boot says, with digits enough
report() {
	pmrep -z -c "$TOP/dashboards/pmrep/kvm.conf" -a "$WORK/archive" -S "$FROM" -T "$TO" -t "${SECONDS_IN}sec" \
		--precision-force 4 --width-force 14 ":$1" >"$WORK/$1"
	cat "$WORK/$1"
}

# total REPORT ROW COLUMN NUMBER: what that column, a rate, comes to in the time
total() {
	awk -v row="$2" -v column="$3" -v seconds="$SECONDS_IN" -v want="$4" '
		$2 == row { n = sprintf("%.0f", $column * seconds); print row ": " n " of " want; found = n == want }
		END { exit !found }' "$WORK/$1"
}

@test "Linux 6.12: accesses are exact by cause and VM; an archive of a real pmlogger's has them in each report" {
	need pmlogger
	need pmrep
	new_work
	logged=$WORK/logged
	sed -n 's/^\t\(kvm.*\)$/\t\1/p' "$TOP"/dashboards/pmlogconf/* >"$logged"
	agent_boot 6.12 "cause.sh reports.sh" "" --timeout 240 --add pmlogger --add "$logged:/agent/logged" \
		--add "$PCP_BIN/pmcpp:/usr/bin/pmcpp"
	grep -q "^missed: 0" "$WORK/out"
	export PCP_PYTHON_PROG=/usr/bin/python3 PCP_COLOR=0 HOME=$WORK LC_ALL=C.UTF-8 TZ=UTC
	export PCP_DERIVED_CONFIG=$TOP/dashboards/derived/kvm.conf
	sed -n '/^archive:$/,/^end of archive$/p' "$WORK/out" | grep -v '^archive:\|^end' | base64 -d | tar xz -C "$WORK"
	snapshots_show "$WORK/1.snapshot" "$WORK/2.snapshot" io cpuid npf
	read -r _ from to vm < <(grep '^window: ' "$WORK/out")
	FROM=$(date -u -d "@$from" "+@%Y-%m-%d %H:%M:%S") TO=$(date -u -d "@$to" "+@%Y-%m-%d %H:%M:%S")
	SECONDS_IN=$((to - from))
	for name in $(sed -n 's/^\[\(kvm.*\)\]$/\1/p' "$TOP/dashboards/pmrep/kvm.conf"); do
		report "$name"
	done
	# two VMs of two vCPUs, one round
	total kvm-exits io 3 $((4 * (PIO + 101)))
	total kvm-exits cpuid 3 $((4 * 503))
	total kvm-exits msr 3 $((4 * 307))
	total kvm-exits npf 3 $((4 * 211))
	total kvm-userspace IO 3 $((4 * (PIO + 101)))
	total kvm-userspace MMIO 3 $((4 * 211))
	for vm in "$vm" "$vm.2"; do
		total kvm-vm "$vm::io" 3 $((2 * (PIO + 101)))
		total kvm-vm "$vm::cpuid" 3 $((2 * 503))
		total kvm-cause "$vm::io:0xe9:w" 4 $((2 * PIO))
		total kvm-cause "$vm::io:0x3f8:w" 5 202
		total kvm-cause "$vm::mmio:0xfed000f0:r" 4 422
		total kvm "$vm" 4 $((2 * (PIO + 101 + 211 + 1)))
		# the seven states are all of the time
		awk -v vm="$vm" '$2 == vm { sum = 0; for (i = 3; i <= 9; i++) sum += $i; print vm ": " sum " %"
			found = sum > 99.99 && sum < 100.01 } END { exit !found }' "$WORK/kvm-time"
	done
	# in all buckets together, but for a bucket that had none at "from": that has no growth to show
	awk -v want=$((4 * (PIO + 101))) '$2 ~ /^io::/ { n += $3 }
		END { print "io, by time: " n " of " want; exit n > want + 0.5 || n < want * 0.98 }' "$WORK/kvm-latency"
	# each exit is one of kvm_exit's events, and of one vCPU
	awk -v seconds="$SECONDS_IN" 'FILENAME ~ /trace/ && $2 ~ /^cpu/ { events += $3 }
		FILENAME ~ /vcpu/ && $2 ~ /::vcpu/ { exits += $3 }
		END { printf "kvm_exit: %.0f, exits of vCPUs: %.0f\n", events * seconds, exits * seconds }' \
		"$WORK/kvm-trace" "$WORK/kvm-vcpu" | tee "$WORK/events"
	[[ $(cat "$WORK/events") =~ ^kvm_exit:\ ([1-9][0-9]+),.*:\ ([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
	# averages and shares are those of what the archive holds
	awk '/ io /&& $3 > 0 { average = $4; share = $5 } END { exit !(average > 0 && share > 0 && share <= 100) }' "$WORK/kvm-exits"
}

# intel_boot KERNEL
intel_boot() {
	new_work
	cat "$TOP/tests/boot/inside/late-timers.sh" "$TOP/tests/boot/inside/cause-dump.sh" >"$WORK/script"
	boot "$1" "$WORK/script" --machine intel --add jq --timeout 600
	cat "$WORK/out"
	grep -q "^the host's times: " "$WORK/out"
	grep -q "^late timers: " "$WORK/out"
}

@test "Linux 6.1 on Intel: accesses, exits and times are exact by cause, and how late timers were" {
	intel_boot 6.1
}

# bats test_tags=long
@test "Linux 6.12 on Intel: accesses, exits and times are exact by cause, and how late timers were" {
	intel_boot 6.12
}
