# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Compares what we say of real VMs, of QEMU and of libvirt, with what these say of them. A VM is
# paused meanwhile, so that its statistics stand still.

load common
load stat

setup() {
	need_kvm
	new_work
}

teardown() {
	jobs -p | xargs -r kill -9 2>/dev/null || true
	if [ -n "${DEVICE_MOUNTED:-}" ]; then
		umount /dev/kvm
	fi
}

QEMU=(qemu-system-x86_64 -accel kvm -cpu qemu64,-svm -smp 2 -m 64 -display none -nodefaults -no-reboot)

need_qemu() {
	need qemu-system-x86_64
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this starts x86's VMs"
}

# qmp COMMAND [ID]: send a command to QEMU, and wait for its answer if it has an ID
qmp() {
	echo "$1" >&8
	[ $# = 1 ] || wait_for 20 grep -qs "\"id\": \"$2\"" "$WORK/qmp"
}

# start_qemu NAME: SeaBIOS looks for something to boot; wait until it has, then pause. Sets VMM.
start_qemu() {
	mkfifo "$WORK/commands"
	exec 8<>"$WORK/commands"
	"${QEMU[@]}" -name "$1" -qmp stdio <&8 >"$WORK/qmp" 2>"$WORK/qemu.err" 3>&- 9>&- &
	VMM=$!
	qmp '{"execute": "qmp_capabilities", "id": "hello"}' hello || { cat "$WORK/qemu.err" && return 1; }
	wait_for 20 emulated 1000
	qmp '{"execute": "stop", "id": "stopped"}' stopped
}

emulated() {
	qmp "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\"}, \"id\": \"$RANDOM$RANDOM\"}"
	sleep 0.1
	[ "$(jq -s '[.[] | .return | arrays | .[].stats? // [] | .[] | select(.name == "insn_emulation") | .value] | max // 0' "$WORK/qmp")" -ge "$1" ]
}

# qemu_ask: QEMU's answers, in $WORK/qmp
qemu_ask() {
	qmp '{"execute": "query-stats-schemas", "id": "schemas"}' schemas
	qmp '{"execute": "query-stats", "arguments": {"target": "vm"}, "id": "vm"}' vm
	qmp '{"execute": "query-stats", "arguments": {"target": "vcpu"}, "id": "vcpu"}' vcpu
}

# qemu_stats ORDER: them, which list the last vCPU first, as the test guest's --stats gives them (see stat_values). ORDER
# is "reverse" where QEMU lists a histogram's last bucket first, as 7.2 does, or else "."
qemu_stats() {
	# shellcheck disable=SC2016 # $ is jq's
	jq -rs '
	def answer(id): .[] | select(.id == id) | .return[] | select(.provider == "kvm");
	def value: if . == true then 1 elif . == false then 0 else . end;
	([answer("vcpu")] | .[0].stats) as $vcpu | ([answer("vm")] | .[0].stats) as $vm |
	(answer("schemas") | .target as $target | (if $target == "vm" then $vm else $vcpu end) as $values |
		.stats[] | .name as $name |
		"desc \($target) \($name) \(.type | sub("linear-histogram"; "linear_hist") | sub("log2-histogram"; "log_hist")) \(.unit // "none") \(.exponent) \(if .base == 2 then 2 else 10 end) \([$values[] | select(.name == $name) | .value | if type == "array" then length else 1 end][0]) 0"),
	($vm[] | "vm 0 \(.name) \(.value | value)"),
	([answer("vcpu")] | length as $n | to_entries[] | ($n - 1 - .key) as $id |
		.value.stats[] | .name as $name |
		if (.value | type) == "array" then
			(.value | '"$1"' | to_entries[] | "vcpu 0 \($id) \($name)[\(.key)] \(.value)")
		else "vcpu 0 \($id) \($name) \(.value | value)" end)
	' "$WORK/qmp"
}

@test "QEMU's own query-stats: every statistic of its VM and vCPUs equals ours" {
	need_qemu
	start_qemu web
	qemu_ask
	"$BUILD/kvmbpf" dump -d 0 --json >"$WORK/json"
	json_values "$WORK/json" | grep -P "\tweb-$VMM" >"$WORK/ours"
	for order in . reverse; do
		qemu_stats $order >"$WORK/qemu"
		grep -q '^vcpu 0 1 ' "$WORK/qemu"
		stat_values "web-$VMM" <"$WORK/qemu" | grep -P "\tweb-$VMM" >"$WORK/theirs"
		cmp -s "$WORK/theirs" "$WORK/ours" && break
	done
	diff "$WORK/theirs" "$WORK/ours"
	[ "$(awk -F'\t' '$1 == "kvm.vcpu.stat.insn_emulation" && $3 >= 1000' "$WORK/ours" | wc -l)" -ge 1 ]
	qmp '{"execute": "quit"}'
	wait "$VMM"
}

# as_user COMMAND...: as a user with nothing but /dev/kvm, and libvirt's folders in WORK
as_user() {
	env -i PATH="$PATH" HOME="$WORK/user/home" XDG_RUNTIME_DIR="$WORK/user/run" \
		XDG_CONFIG_HOME="$WORK/user/config" XDG_CACHE_HOME="$WORK/user/cache" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@" 3>&- 9>&-
}

virsh_() {
	as_user virsh -q -c qemu:///session "$@"
}

@test "libvirt's domstats: every statistic of a vCPU equals ours, and the VM has its domain's name and UUID" {
	need_qemu
	need virsh
	need libvirtd
	mkdir -p "$WORK/user/"{home,run,config,cache}
	chmod 700 "$WORK/user/run"
	chown -R 65534:65534 "$WORK/user"
	# in this mount namespace alone
	mknod "$WORK/node" c 10 $((0x$(stat -c %T /dev/kvm)))
	chmod 666 "$WORK/node"
	mount --bind "$WORK/node" /dev/kvm
	DEVICE_MOUNTED=yes
	cat >"$WORK/domain.xml" <<-'XML'
		<domain type='kvm'>
		  <name>shop</name>
		  <uuid>6d2f0f4e-3f5a-4d21-9f0e-000000000001</uuid>
		  <memory unit='MiB'>64</memory>
		  <vcpu>2</vcpu>
		  <os><type arch='x86_64' machine='pc'>hvm</type></os>
		  <cpu mode='custom' match='exact' check='none'>
		    <model>qemu64</model><feature policy='disable' name='svm'/>
		  </cpu>
		</domain>
	XML
	as_user libvirtd >"$WORK/libvirtd.log" 2>&1 &
	libvirtd=$!
	wait_for 20 virsh_ list >/dev/null
	virsh_ create "$WORK/domain.xml"
	wait_for 20 shop_has_run
	virsh_ suspend shop
	virsh_ domstats --vcpu --raw shop >"$WORK/raw"
	vmm=$(find "$WORK/user/run" -name shop.pid -exec cat {} +)
	"$BUILD/kvmbpf" dump -d 0 --json >"$WORK/json"
	virsh_ destroy shop
	kill "$libvirtd"
	sed -nE 's/^ *vcpu\.([0-9]+)\.([a-z_0-9]+)\.(sum|cur|max)=(.*)/kvm.vcpu.stat.\2\tshop-'"$vmm"'::vcpu\1\t\4/p' "$WORK/raw" |
		sed -e 's/\tno$/\t0/' -e 's/\tyes$/\t1/' | LC_ALL=C sort >"$WORK/theirs"
	[ "$(wc -l <"$WORK/theirs")" -gt 40 ]
	# lists are not among theirs, nor statistics that libvirt's own QEMU does not know
	json_values "$WORK/json" >"$WORK/all"
	grep -Ff <(cut -f1,2 "$WORK/theirs" | sed 's/$/\t/') "$WORK/all" >"$WORK/ours"
	diff "$WORK/theirs" "$WORK/ours"
	jq -e --arg vm "shop-$vmm" '[.metrics[] | select(.name == "kvm.vm.pid") | .values[] | select(.instance == $vm) | .labels |
		.vm == "shop" and .uuid == "6d2f0f4e-3f5a-4d21-9f0e-000000000001"] == [true]' "$WORK/json"
}

shop_has_run() {
	[ "$(virsh_ domstats --vcpu --raw shop | sed -n 's/.*vcpu\.0\.insn_emulation\.sum=//p')" -ge 1000 ]
}
