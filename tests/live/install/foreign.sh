# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Remove takes away the maps that the agent has pinned, and no file of anybody else,
# whatever [bpf] pin in kvm.conf says.
mount -t bpf bpf /sys/fs/bpf
start_host
host_save
make_ install >/dev/null
cp /etc/pcp/kvm/kvm.conf /tmp/kvm.conf.good

# others' maps, by names as ours have, and others' files
make_foreign() {
	mkdir -p /sys/fs/bpf/other /sys/fs/bpf/pmdakvm /var/lib/mine
	chmod 700 /sys/fs/bpf/other /sys/fs/bpf/pmdakvm /var/lib/mine
	for foreign in $maps; do
		bpftool map create "$foreign" type array key 4 value 8 entries 1 name foreign
	done
	for foreign in $files; do
		echo mine >"$foreign"
	done
}
maps="/sys/fs/bpf/exit_others /sys/fs/bpf/other/trace_others /sys/fs/bpf/other/stat_meta
	/sys/fs/bpf/pmdakvm/exit_others"
files="/var/lib/mine/exit_notes /var/lib/mine/trace_rows /var/lib/mine/other"
make_foreign
{
	echo 'root { kvm }'
	sed -e 's/KVM:/95:/' -e '/^\/\*/d' $OURS/pmns
} >/tmp/ns

# removes WHERE LINE...: with these lines in kvm.conf the agent pins there, or nowhere
removes() {
	local where=$1
	shift
	{
		cat /tmp/kvm.conf.good
		printf '%s\n' "$@"
	} >/etc/pcp/kvm/kvm.conf
	printf '%s\n' "open pipe $OURS/pmdakvm -d 95 -l /tmp/kvm.log" 'fetch 95.2.0' quit |
		dbpmda -n /tmp/ns >/tmp/dbpmda.out 2>&1
	[ -z "$where" ] || [ -e "$where/trace_meta" ] || fail "nothing is pinned in $where"
	run_in $OURS Remove
	for foreign in $maps $files; do
		[ -e "$foreign" ] || fail "with \"$*\" Remove takes away $foreign"
	done
	[ -z "$where" ] || [ ! -e "$where/trace_meta" ] || fail "with \"$*\" Remove leaves our maps"
	echo "with \"$*\" all that is not ours stays"
}
# by pmcd's agent, and then by one that nobody has installed
run_in $OURS Install >/dev/null
removes /sys/fs/bpf/pmdakvm '[bpf]' 'pin = pmdakvm'
grep -q "pmdakvm/exit_others: not a map of this version; not removed" /tmp/script.out || fail "nothing is said of it"
removes /sys/fs/bpf/pmdakvm '[bpf]' '[nonsense]' 'pin = other'
removes /sys/fs/bpf/pmdakvm '[bpf]' 'pin = .'
removes '/sys/fs/bpf/*' '[bpf]' 'pin = *'
removes '' '[bpf]' 'pin = /var/lib/mine'
grep -q "/var/lib/mine: not on a BPF file system" /tmp/script.out || fail "nothing is said of it"
removes '' '[bpf]' 'pin = none'
removes '/sys/fs/bpf/a b' '[bpf]' 'pin = a b'
cp /tmp/kvm.conf.good /etc/pcp/kvm/kvm.conf
rm -r /sys/fs/bpf/exit_others /sys/fs/bpf/other /sys/fs/bpf/pmdakvm /var/lib/mine
run_in $STOCK Install >/dev/null
make_ uninstall >/dev/null
nothing_left "make uninstall"
