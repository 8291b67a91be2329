# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Runs inside a booted kernel (tests/boot/trace.bats): kvmbpf dump and the kernel's own
# histograms count the same guest. Prints a line "hist EVENT CPU COUNT" for each, then
# the dump as JSON after a line "json".
set -e
events=/sys/kernel/tracing/events/kvm
counted="kvm_entry kvm_exit kvm_pio kvm_cpuid kvm_mmio kvm_userspace_exit"
kvmbpf dump -v --json >/tmp/out 2>/tmp/err &
dump=$!
while ! grep -q 'attached in' /tmp/err; do
	kill -0 $dump || { cat /tmp/err; exit 1; }
	sleep 0.1
done
for event in $counted; do
	# the key's name has changed in Linux 5.13
	echo 'hist:keys=common_cpu' >$events/$event/trigger 2>/dev/null ||
		echo 'hist:keys=cpu' >$events/$event/trigger
done
guest --pio "$1" --mmio "$2" --cpuid "$3" --vcpus 2 --cpus 0,1
kill -INT $dump
wait $dump
for event in $counted; do
	sed -nE "s/^\{ (common_)?cpu: +([0-9]+) \} hitcount: +([0-9]+).*/hist $event \2 \3/p" $events/$event/hist
done
echo json
cat /tmp/out
