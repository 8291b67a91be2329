# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash disable=SC2154 # tests/bench/run sets what is not set here
#
# What counting real exits costs a guest, compared with perf kvm stat record, in a kernel under
# emulation: times there are long, so only ratios are of use. tests/bench/run reads this.

BOOT_KERNEL=6.12
BOOT_EXITS=6000
BOOT_RUNS=4 # of a guest while a collector counts, of which the least one is taken

# boot_why: why it cannot be measured
boot_why() {
	local status=0
	boot_kernel=$("$TOP/tests/boot/fetch-kernel.sh" $BOOT_KERNEL 2>"$work/why") || status=$?
	if [ $status != 0 ]; then
		tail -n 1 "$work/why"
	elif ! command -v perf >/dev/null; then
		echo "perf is not installed"
	elif ! command -v qemu-system-x86_64 >/dev/null; then
		echo "QEMU is not installed"
	fi
}

# Lines of the collector, its round and a guest's CPU time in ns.
boot_all() {
	local why status=0
	why=$(boot_why)
	if [ -n "$why" ]; then
		printf 'perf kvm stat record\t%s\n' "$why" >>"$work/absent"
		return
	fi
	boot_kernel=$("$TOP/tests/boot/fetch-kernel.sh" $BOOT_KERNEL)
	cat >"$work/boot-script" <<-END
		set -e
		printf "[trace]\nkvm_exit\nkvm_entry\n" >/tmp/conf-all
		printf "[bpf]\ncauses = off\nledger = off\n" | cat - /tmp/conf-all >/tmp/conf-ours
		printf '%s\n' '#!/bin/sh' 'for run in \$(seq $BOOT_RUNS); do' \
			'timed /tmp/time guest --cpuid $BOOT_EXITS >/dev/null || exit' \
			'cat /tmp/time >>/tmp/times; echo >>/tmp/times; done' >/tmp/guests
		chmod +x /tmp/guests
		one() {
			rm -f /tmp/times
			case \$1 in
			nothing) /tmp/guests ;;
			ours | all)
				kvmbpf dump -v -c /tmp/conf-\$1 >/tmp/ours 2>/tmp/said &
				pid=\$!
				until grep -q "attached in" /tmp/said; do sleep 0.1; done; sleep 1
				/tmp/guests
				kill -INT \$pid
				wait \$pid
				grep -q cpuid /tmp/ours || { cat /tmp/ours /tmp/said; exit 1; }
				;;
			perf)
				perf kvm stat record -a -o /tmp/perf.data /tmp/guests \
					>/tmp/perf 2>&1 || { cat /tmp/perf; exit 1; }
				[ \$(wc -c </tmp/perf.data) -gt $((BOOT_RUNS * BOOT_EXITS * 16)) ]
				rm /tmp/perf.data
				;;
			esac
			for ns in \$(cat /tmp/times); do
				printf 'boot\t%s\t%s\t%s\n' \$1 \$2 \$ns
			done
		}
		one nothing warm >/dev/null
		for round in \$(seq $GUESTS); do
			one nothing \$round
			one perf \$round
			one ours \$round
			one all \$round
		done
	END
	"$TOP/tests/boot/run-kernel.sh" --kernel "$boot_kernel" --script "$work/boot-script" \
		--add "$kvmbpf" --add "$guest" --add "$bin/timed" --add perf --memory 1024 \
		--timeout $((120 + 60 * GUESTS)) >"$work/boot-out" 2>"$work/why" || status=$?
	if [ $status != 0 ]; then
		printf 'perf kvm stat record\tin QEMU: status %s: %s\n' $status \
			"$(tail -n 1 "$work/boot-out" "$work/why" | tr '\n\t' '  ')" >>"$work/absent"
		return
	fi
	grep '^boot' "$work/boot-out" >"$work/boot"
}
