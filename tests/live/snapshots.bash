# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# What kvmbpf shows of two snapshots of a host on which tests/boot/inside/reports.sh ran, as any user.

# replay ARGUMENT...: kvmbpf, without privilege if we are root; its output is in $WORK/shown, too
replay() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid nobody --clear-groups --bounding-set -all "$BUILD/kvmbpf" "$@"
	else
		"$BUILD/kvmbpf" "$@"
	fi | tee "$WORK/shown"
}

# added METRIC INSTANCE: by how much it has grown from snapshot 1 to snapshot 2
added() {
	jq -r ".metrics[] | select(.name == \"$1\").values[] | select(.instance == \"$2\").value" "$WORK/added"
}

# shown WHAT WANTED: a line begins so, whatever blanks are between its words
shown() {
	grep -qE "^$1" <<<"$(tr -s ' ' <"$WORK/shown" | sed 's/^ //')" || { cat "$WORK/shown"; echo "no line begins: $1"; return 1; }
}

# snapshots_show ONE TWO IO CPUID MMIO: what two VMs of two vCPUs each did in a round between them; the
# words are the reasons' names on that host
snapshots_show() {
	local one=$1 two=$2 io=$3 cpuid=$4 mmio=$5 vm port=$((2 * (PIO + 101)))
	replay vms --from "$two" --csv -o vm,vcpus >/dev/null
	[ "$(wc -l <"$WORK/shown")" = 3 ]
	vm=$(sed -n '2s/,2$//p' "$WORK/shown")
	[[ $vm =~ ^guest-[0-9]+$ ]]
	[ "$(sed -n 3p "$WORK/shown")" = "$vm.2,2" ]
	replay dump --from "$two" --since "$one" --json >/dev/null
	cp "$WORK/shown" "$WORK/added"
	for vm in "$vm" "$vm.2"; do
		[ "$(added kvm.vm.exit.count "$vm::$io")" = $port ]
		[ "$(added kvm.vm.exit.count "$vm::$cpuid")" = $((2 * 503)) ]
		[ "$(added kvm.vm.exit.count "$vm::$mmio")" = $((2 * 211)) ]
		[ "$(added kvm.vm.userspace_exit.count "$vm::IO")" = $port ]
		[ "$(added kvm.vm.userspace_exit.count "$vm::MMIO")" = $((2 * 211)) ]
		[ "$(added kvm.vm.cause.accesses "$vm::io:0xe9:w")" = $((2 * PIO)) ]
		[ "$(added kvm.vm.cause.userspace_count "$vm::io:0x3f8:w")" = 202 ]
	done
	# dump's tables: by reason, of all VMs; of one vCPU, by its thread
	replay dump --from "$two" --since "$one" 2>/dev/null >/dev/null
	shown "$io $((2 * port)) "
	shown "IO $((2 * port)) "
	replay dump --from "$two" -m kvm.vcpu.tid --vm "$vm" --vcpu 1 --csv -o value >/dev/null
	replay dump --from "$two" --since "$one" -t "$(tail -1 "$WORK/shown")" --json >/dev/null
	cp "$WORK/shown" "$WORK/added"
	[ "$(added kvm.vcpu.exit.count "$vm::vcpu1::$io")" = $((port / 2)) ]
	[ -z "$(added kvm.vcpu.exit.count "$vm::vcpu0::$io")" ]
	# top, as if they were ten seconds apart
	replay top -b --from "$one" --from "$two" -d 10 -x >/dev/null
	shown '2 VMs 4 vCPUs exits [0-9.]+/s to VMM '
	shown "$vm 2 [0-9]+ .* ${io:0:10}[A-Z!]* io:0xe9:w debug"
	replay top -b --from "$one" --from "$two" -d 10 -x --vm "$vm" >/dev/null
	shown "$io $(((port + 5) / 10)) [0-9.]+ [0-9.]+ "
	shown "vmm:MMIO $(((422 + 5) / 10)) "
	shown "io:0xe9:w debugcon $(((2 * PIO + 5) / 10)) $(((2 * PIO + 5) / 10)) "
	# events: attached, and how often they came in the round
	replay events --from "$two" --csv -o event,attached >/dev/null
	grep -qx 'kvm_exit,1' "$WORK/shown"
	[ "$(replay dump --from "$two" --since "$one" -m kvm.trace.kvm_pio --csv -o value | awk 'NR > 1 { n += $1 } END { print n }')" = $((2 * port)) ]
}
