# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# How late vCPUs' timers were, by the kernel's own events: goes in front of scripts that compare ours to it.
expire=/sys/kernel/tracing/events/kvm/kvm_wait_lapic_expire

# late_begin: record the kernel's events from now on
late_begin() {
	echo 'hist:keys=vcpu_id' >$expire/trigger
	echo 1 >$expire/enable
	: >/sys/kernel/tracing/trace
}

# late_end KHZ OURS: end that, and compare. KHZ is the rate of the vCPUs' TSC; the file OURS has a line
# "FIRST-LAST COUNT", in ns, for each of our values. Sets late_number, the number of the kernel's events.
late_end() {
	echo 0 >$expire/enable
	sed -nE 's/.*kvm_wait_lapic_expire: .*delta (-?[0-9]+).*/\1/p' /sys/kernel/tracing/trace | awk -v khz="$1" '
		{
			ns = $1 > 0 ? int($1 * 1000000 / khz) : 0
			for (first = 1; first * 2 <= ns; first *= 2)
				;
			n[(first > 1 ? first : 0) "-" first * 2 - 1]++
		}
		END { for (range in n) print range, n[range] }' | sort >/tmp/late-kernel
	awk '$2 > 0 { n[$1] += $2 } END { for (range in n) print range, n[range] }' "$2" | sort >/tmp/late-ours
	echo "--- how late timers were, ns, at a TSC of $1 kHz:"
	cat /tmp/late-ours
	diff /tmp/late-kernel /tmp/late-ours
	late_number=$(sed -nE 's/^\{ vcpu_id: +[0-9]+ \} hitcount: +([0-9]+).*/\1/p' $expire/hist | awk '{ n += $1 } END { print n + 0 }')
	expect "late timers" "$(awk '{ n += $2 } END { print n + 0 }' /tmp/late-ours)" "$late_number"
}
