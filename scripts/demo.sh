#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# demo.sh TOP BUILD [ROUNDS [SECONDS]]: start a private pmcd with our agent, and if no VM runs a small
# guest and, if it is installed, QEMU; show counters and our reports with pmrep, and pcp kvm. Leaves nothing
# behind but the page BUILD/demo.html.
set -euo pipefail

top=$1 build=$2 rounds=${3:-10} seconds=${4:-1}
# shellcheck source=scripts/pmcd.sh
. "$top/scripts/pmcd.sh"
# shellcheck source=scripts/guests.sh
. "$top/scripts/guests.sh"

if [ "$(id -u)" != 0 ]; then
	echo "demo: counting KVM's tracepoints requires root" >&2
	exit 1
fi

cleanup() {
	pmcd_stop
	guests_end
	rm -rf "$dir"
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-demo.XXXXXX")
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Succeed if any process has a VM open.
vm_runs() {
	[ -n "$(find /proc/[0-9]*/fd -lname 'anon_inode:kvm-vm' -print -quit 2>/dev/null)" ]
}

# Succeed if the metric has instances.
has_instances() {
	[ "$(pmprobe -h "$PMCD_HOST" "$1" | cut -d' ' -f2)" -gt 0 ]
}

# report NAME METRIC TITLE [REASON]: show our report of METRIC, or say why it is empty.
report() {
	echo
	echo "$3 (pmrep :$1)"
	if has_instances "$2"; then
		pmrep -h "$PMCD_HOST" -c "$top/dashboards/pmrep/kvm.conf" -s 4 -t "$seconds" ":$1"
	else
		echo "has nothing to show: no value of $2${4:+ ($4)}."
	fi
}

pmcd_env "$dir"
export PCP_DERIVED_CONFIG=$top/dashboards/derived/kvm.conf
# the default, but pin = none: leave no pins behind and do not use the host agent's
{
	cat "$top/kvm.conf"
	printf '[bpf]\npin = none\n'
} >"$dir/kvm.conf"
events=$(sed '1,/^\[trace\]$/d; /^#/d' "$top/kvm.conf")
pmcd_files "$dir" "$top" "$build" daemon -c "$dir/kvm.conf"
if [ ! -c /dev/kvm ]; then
	echo "/dev/kvm is missing: no guest can run; expect zeros."
elif ! vm_runs; then
	start_guest "$build" "$dir"
	echo "No VM runs here, so a small one of our own does: 2 vCPUs that do port I/O, MMIO and CPUID."
	if start_qemu "$dir"; then
		echo "And QEMU beside it, which starts its firmware and then writes to its serial port."
	fi
fi
pmcd_start "$dir"
echo "$(pmprobe -h "$PMCD_HOST" -v kvm.trace.count | cut -d' ' -f3) events are counted, per CPU: those of the shipped kvm.conf. Name more in its [trace], or \"*\""
echo "for all of this kernel's; each costs guests 25 to 50 ns whenever it fires."
echo

metrics=()
for event in $events; do
	metrics+=("kvm.trace.$event,$event")
done
# one more sample than rounds: the first sample of a rate has no value
pmrep -h "$PMCD_HOST" -p -X "by CPU" -w 18 -s $((rounds + 1)) -t "$seconds" "${metrics[@]}"

pvm="where KVM runs guests by PVM, kvm_exit never fires"
report kvm-exits kvm.exit.count "Why guests stop, and for how long" "$pvm"
report kvm-vm kvm.vm.exit.count "The same by VM" "$pvm"
report kvm-userspace kvm.userspace_exit.count "What goes out to the VMM"
report kvm-cause kvm.vm.cause.accesses "What in the guest that is about"
report kvm-time kvm.vm.time.total "Where the time of VMs goes, in percent"
report kvm kvm.vm.userspace_exit.total "All VMs"

echo
echo "All of it, the costliest VM first (pcp kvm)"
"$top/dashboards/pcp/pcp-kvm" -h "$PMCD_HOST" -t "$seconds"
"$top/dashboards/pcp/pcp-kvm" -h "$PMCD_HOST" -t "$seconds" --html "$dir/demo.html"
cp "$dir/demo.html" "$build/demo.html"
echo "The same as a page, for a browser (pcp kvm --html): $build/demo.html"
