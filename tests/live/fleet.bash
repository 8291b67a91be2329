# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Helpers of tests of several hosts: machines, each a copy of this one (tests/sandbox.sh) with systemd, a root
# folder, processes, name and network of its own. An agent sees VMs of its own machine alone, as they are in
# its PID namespace; all have one kernel, so its sums of the host are of all of them. The first machine has the
# bridge that joins them, and all know the others' names. Load common first.

declare -gA MACHINES=() # its init, by name
declare -gA MACHINE_OUTSIDE=()
MACHINES_FIRST=

# need_machines PACKAGE...: sets PACKAGES, the folder that they can be installed from
need_machines() {
	local tool
	need_root
	for tool in ip nsenter; do
		command -v $tool >/dev/null || skip "$tool is not installed: make deps installs iproute2 and util-linux"
	done
	[ -x /lib/systemd/systemd ] || skip "systemd is not installed: make deps installs it"
	[ -x /usr/bin/dbus-daemon ] || skip "dbus is not installed: make deps installs it"
	grep -q overlay /proc/filesystems || skip "no overlay file system: the copy of this host needs one"
	grep -q cgroup2 /proc/filesystems || skip "no cgroup2: systemd needs it"
	PACKAGES=$("$TOP/tests/packages.sh" "$@" 2>&1) || skip "Debian's packages cannot be had: $PACKAGES"
	PACKAGES=${PACKAGES##*$'\n'}
}

# machine_start NAME: it is at 10.77.0.N, N its place among those that were started
machine_start() {
	local name=$1 outside number=$((${#MACHINES[@]} + 1))
	rm -f "$WORK/$name.ready"
	SANDBOX_INIT=$name "$TOP/tests/sandbox.sh" sh -c 'touch "$0" && exec sleep infinity' "$WORK/$name.ready" \
		>"$WORK/$name.out" 2>&1 </dev/null 3>&- &
	outside=$!
	MACHINE_OUTSIDE[$name]=$outside
	wait_for 30 test -e "$WORK/$name.ready"
	MACHINES[$name]=$(pgrep -P "$(pgrep -P "$outside" -x unshare)")
	: "${MACHINES_FIRST:=$name}"
	# which "systemctl start --wait" needs
	on "$name" systemctl start dbus
	if [ "$number" = 1 ]; then
		net "$name" ip link add br0 type bridge
		net "$name" ip addr add 10.77.0.1/24 dev br0
		net "$name" ip link set br0 up
	else
		net "$MACHINES_FIRST" ip link add "to-$name" type veth peer name eth0 netns "${MACHINES[$name]}"
		net "$MACHINES_FIRST" ip link set "to-$name" master br0 up
		net "$name" ip addr add "10.77.0.$number/24" dev eth0
		net "$name" ip link set eth0 up
	fi
}

# machines_know_each_other: by their names; and apt knows PACKAGES alone
machines_know_each_other() {
	local name number=0
	{
		echo "127.0.0.1 localhost"
		for name; do
			number=$((number + 1))
			echo "10.77.0.$number $name"
		done
	} >"$WORK/hosts"
	for name; do
		# shellcheck disable=SC2016 # the machine's shell's
		on "$name" sh -ec 'cat "$0" >/etc/hosts
			rm -rf /etc/apt/sources.list.d /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
			echo "deb [trusted=yes] file:$1 ./" >/etc/apt/sources.list
			echo "APT::Sandbox::User \"root\";" >/etc/apt/apt.conf.d/99root
			apt-get -q update' "$WORK/hosts" "$PACKAGES" >"$WORK/apt.$name" 2>&1
	done
}

# on NAME COMMAND...: run it there
on() {
	local init=${MACHINES[$1]}
	shift
	nsenter -t "$init" -m -p -n -u -r -w -- "$@" 3>&-
}

# net NAME COMMAND...: run it here, with the network there
net() {
	local init=${MACHINES[$1]}
	shift
	nsenter -t "$init" -n -- "$@"
}

# machines_stop: none is left, nor anything on it
machines_stop() {
	local name
	for name in "${!MACHINE_OUTSIDE[@]}"; do
		pkill -KILL -P "$(pgrep -P "${MACHINE_OUTSIDE[$name]}" -x unshare)" || true
	done
	wait "${MACHINE_OUTSIDE[@]}" 2>/dev/null || true
	MACHINES=() MACHINE_OUTSIDE=()
}

# vm UNIT MACHINE ACCESSES [UUID [NAME]]: a VM there, of QEMU, which has the unit's name, if no other, and is a unit of systemd.
# Its guest writes so often to port 0x505 and is halted then; "endless": and never ends. Prints its PID there.
vm() {
	local code='\xba\x05\x05\xee\xeb\xfd' uuid=()
	# mov dx, 0x505; mov ecx, N; out dx, al; a32 loop; cli; hlt
	[ "$3" = endless ] || code=$(printf '\\xba\\x05\\x05\\x66\\xb9\\x%02x\\x%02x\\x%02x\\x00\\xee\\x67\\xe2\\xfc\\xfa\\xf4\\xeb\\xfd' \
		$(($3 & 255)) $(($3 >> 8 & 255)) $(($3 >> 16)))
	[ -z "${4:-}" ] || uuid=(-uuid "$4")
	rm -f "$WORK/$1.rom"
	truncate -s 65536 "$WORK/$1.rom"
	printf %b "$code" | dd of="$WORK/$1.rom" conv=notrunc status=none
	# where a CPU begins: jmp 0xf000:0
	printf '\xea\x00\x00\x00\xf0' | dd of="$WORK/$1.rom" bs=1 seek=65520 conv=notrunc status=none
	on "$2" systemd-run -q --unit "$1" --property=Nice=10 qemu-system-x86_64 -name "guest=${5:-$1}" "${uuid[@]}" \
		-accel kvm -cpu qemu64,-svm -m 8 -nodefaults -no-user-config -display none -bios "$WORK/$1.rom"
	on "$2" systemctl show -P MainPID "$1"
}
