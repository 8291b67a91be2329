# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Compares KVM's statistics of VMs and vCPUs, from a private pmcd and from kvmbpf, with those of
# KVM_GET_STATS_FD, of guests that do not run meanwhile.

load common
load stat

setup_file() {
	if [ "$(id -u)" != 0 ]; then
		return
	fi
	new_work
	export WORK
	pmcd_env "$WORK"
	conf '[trace]' kvm_pio
	make_namespace
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
	export PMCD_PID
	open_hold
}

teardown_file() {
	pmcd_stop
}

setup() {
	need_kvm
}

teardown() {
	# processes left by a failed test
	jobs -p | xargs -r kill -9 2>/dev/null || true
}

busy() {
	hold "$1" --vms 2 --vcpus 2 --pio 211 --mmio $MMIO --cpuid 307 --hlt 101 --irqchip "${@:2}"
}

@test "pmcd: all values of host, VMs, vCPUs and buckets equal KVM_GET_STATS_FD's" {
	busy guest
	pcp_values >"$WORK/ours"
	stat_values "guest-$GUEST" <"$STATS" >"$WORK/kernel"
	diff "$WORK/kernel" "$WORK/ours"
	[ "$(grep -c 'kvm.vcpu.stat.mmio_exits.*1009$' "$WORK/ours")" = 4 ]
	let_go "$GUEST"
}

@test "kvmbpf --json: all values and kinds equal KVM_GET_STATS_FD's" {
	busy guest
	"$BUILD/kvmbpf" dump -d 0 --json >"$WORK/json"
	json_values "$WORK/json" >"$WORK/ours"
	stat_values "guest-$GUEST" <"$STATS" >"$WORK/kernel"
	diff "$WORK/kernel" "$WORK/ours"
	diff <(stat_kinds <"$STATS") <(json_kinds "$WORK/json")
	let_go "$GUEST"
}

@test "pmcd: kinds and help of all statistics; an alias is no metric" {
	busy guest
	metrics=$(stat_kinds <"$STATS" | cut -d' ' -f1)
	# shellcheck disable=SC2086
	pminfo -h "$PMCD_HOST" -dtT $metrics >"$WORK/info"
	let_go "$GUEST"
	sed -nE -e 's/^(kvm[^ ]*)( .*)?$/\1/p' -e 's/^ +Semantics: (.*)  Units: (.*)/\1 \2/p' "$WORK/info" |
		sed -e 's/ nanosec$/ ns/' | paste -d' ' - - | LC_ALL=C sort >"$WORK/ours"
	diff <(stat_kinds <"$STATS") "$WORK/ours"
	[ "$(grep -c '^ *Data Type: 64-bit unsigned int' "$WORK/info")" = "$(wc -l <<<"$metrics")" ]
	run grep -E 'No help|Error' "$WORK/info"
	[ -z "$output" ]
	run grep -E '\.pages$' <(pminfo -h "$PMCD_HOST" kvm)
	[ -z "$output" ]
}

@test "a VM's name comes from its VMM's command line; labels have it unchanged" {
	names=('my own vm' "it's \"quoted\"" a::b 'größe 東京' "$(printf 'x%.0s' {1..300})" \
		$'tab\tline\nend\001' $'bad\377utf8' '' 'comma,,name')
	instances=(my_own_vm "it's_\"quoted\"" a_b größe_東京 "$(printf 'x%.0s' {1..64})" \
		tab_line_end_ bad_utf8 guest comma,name)
	exact=('my own vm' "it's \"quoted\"" a::b 'größe 東京' "$(printf 'x%.0s' {1..300})" \
		$'tab\tline\nend\001' bad�utf8 guest comma,name)
	guests=()
	for name in "${names[@]}"; do
		hold qemu-system-x86_64 -- -name "guest=$name,debug-threads=on" -uuid 01234567-89ab
		guests+=("$GUEST")
	done
	"$BUILD/kvmbpf" dump -d 0 --json >"$WORK/json"
	pminfo -h "$PMCD_HOST" -f kvm.vm.pid >"$WORK/pids"
	pminfo -h "$PMCD_HOST" -l kvm.vm.pid >"$WORK/labels"
	pminfo -h "$PMCD_HOST" -f kvm.vm.name >"$WORK/names"
	let_go "${guests[@]}"
	for i in "${!names[@]}"; do
		vm=${instances[i]}-${guests[i]}
		echo "$vm"
		grep -qF "or \"$vm\"] value ${guests[i]}" "$WORK/pids"
		jq -e --arg vm "$vm" --arg name "${exact[i]}" --argjson pid "${guests[i]}" '
			[.metrics[] | select(.name == "kvm.vm.pid").values[] | select(.instance == $vm)]
			| length == 1 and .[0].value == $pid and (.[0].labels
			| .vm == $name and .pid == $pid and .uuid == "01234567-89ab")' "$WORK/json"
		# pmcd passes the labels on, as valid JSON
		grep -F "or \"$vm\"] labels " "$WORK/labels" | sed 's/.*] labels //' | jq -e \
			--arg name "${exact[i]}" --argjson pid "${guests[i]}" '.vm == $name and .pid == $pid'
		# pminfo shows a control character as "?"
		shown=$(printf '%s' "${exact[i]}" | tr '\001-\037' '?')
		grep -qF "or \"$vm\"] value \"$shown\"" "$WORK/names"
	done
}

@test "a VM's name is Firecracker's --id, or else the command's name" {
	hold firecracker -- --id=my-fc --api-sock /tmp/x
	firecracker=$GUEST
	hold /usr/bin/other -- -name guest=nobody
	[ "$(value kvm.vm.pid "my-fc-$firecracker")" = "$firecracker" ]
	[ "$(value kvm.vm.name "guest-$GUEST")" = '"guest"' ]
	let_go "$firecracker" "$GUEST"
}

@test "labels follow a VMM that is moved to its pod's cgroup; its name stays" {
	root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	pods=$root/kubepods.slice
	pod=$pods/kubepods-podaaaa_bbbb.slice
	mkdir -p "$pod" 2>/dev/null || skip "no cgroup can be made: run as root with a writable cgroup2"
	hold guest --vcpus 2
	label() { pminfo -h "$PMCD_HOST" -l "$1" | sed -n "s/.* or \"$2\"\] labels //p" | jq -c '[.vm, .pod]'; }
	[ "$(label kvm.vm.pid "guest-$GUEST")" = '["guest",null]' ]
	echo "$GUEST" >"$pod/cgroup.procs"
	moved() { [ "$(label "$1" "$2")" = '["guest","aaaa-bbbb"]' ]; }
	wait_for 10 moved kvm.vm.pid "guest-$GUEST"
	moved kvm.vcpu.stat.exits "guest-$GUEST::vcpu1"
	echo "$GUEST" >"$root/cgroup.procs"
	let_go "$GUEST"
	rmdir "$pod" "$pods"
}

@test "two VMs in one process, and two VMs of one name" {
	hold qemu-system-x86_64 --vms 2 --vcpus 2 -- -name twin
	first=$GUEST
	hold qemu-system-x86_64 --vcpus 3 -- -name twin
	[ "$(values kvm.vm.vcpus | sort)" = \
		"$(printf '%s\n' "twin-$first 2" "twin-$first.2 2" "twin-$GUEST 3" | sort)" ]
	[ "$(value kvm.vm.pid "twin-$first.2")" = "$first" ]
	[ "$(value kvm.vm.name "twin-$first.2")" = '"twin"' ]
	[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "3 7" ]
	values kvm.vcpu.stat.exits | cut -d' ' -f1 | grep -qxF "twin-$first.2::vcpu1"
	run pminfo -h "$PMCD_HOST" -l kvm.vcpu.stat.exits
	[[ $output == *"or \"twin-$GUEST::vcpu2\"] labels "*"\"pid\":$GUEST"*"\"vcpu\":2"*"\"vm\":\"twin\""* ]]
	let_go "$first" "$GUEST"
}

@test "an ended VM is no instance, and a new VM gets a new instance number" {
	number() { pminfo -h "$PMCD_HOST" -f "$1" | sed -nE "s/.*inst \[([0-9]+) or \"$2\"\].*/\1/p"; }
	hold guest --mmio 11
	first=$GUEST
	vm=$(number kvm.vm.pid "guest-$first") vcpu=$(number kvm.vcpu.stat.exits "guest-$first::vcpu0")
	[ -n "$vm" ] && [ -n "$vcpu" ]
	let_go "$first"
	[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "0 0" ]
	for metric in kvm.vm.pid kvm.vm.stat.exits kvm.vm.stat.halt_wait_hist kvm.vcpu.stat.exits \
		kvm.vcpu.stat.halt_wait_hist; do
		[ -z "$(values $metric)" ]
	done
	hold guest --mmio 11
	new=$(number kvm.vm.pid "guest-$GUEST")
	[ -n "$new" ]
	[ "$new" != "$vm" ]
	new=$(number kvm.vcpu.stat.exits "guest-$GUEST::vcpu0")
	[ -n "$new" ]
	[ "$new" != "$vcpu" ]
	let_go "$GUEST"
}

# names_of METRIC NUMBER: an instance's name by its number, and whether it is among those of all
names_of() {
	"${PCP_PYTHON_PROG:-python3}" - "$PMCD_HOST" "$@" <<-'EOF'
		import sys
		from pcp import pmapi
		import cpmapi
		host, metric, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
		context = pmapi.pmContext(cpmapi.PM_CONTEXT_HOST, host)
		desc = context.pmLookupDesc(context.pmLookupName(metric)[0])
		numbers, names = context.pmGetInDom(desc)
		print(context.pmNameInDom(desc, number), number in list(numbers))
	EOF
}

@test "the name of a VM that has just ended is found, by its number and in the list of all" {
	"${PCP_PYTHON_PROG:-python3}" -c 'import pcp' 2>/dev/null || skip "no Python module pcp: python3-pcp has it"
	number() { pminfo -h "$PMCD_HOST" -f "$1" | sed -nE "s/.*inst \[([0-9]+) or \"$2\"\].*/\1/p"; }
	hold guest --mmio 11
	vm=$(number kvm.vm.pid "guest-$GUEST") vcpu=$(number kvm.vcpu.stat.exits "guest-$GUEST::vcpu0")
	let_go "$GUEST"
	[ "$(values kvm.nvms)" = 0 ]
	[ -z "$(values kvm.vm.pid)" ]
	[ "$(names_of kvm.vm.pid "$vm")" = "guest-$GUEST True" ]
	[ "$(names_of kvm.vcpu.stat.exits "$vcpu")" = "guest-$GUEST::vcpu0 True" ]
}

@test "a file named kvm-vm is no VM" {
	# FIFOs have private data in the kernel's struct file, as VMs have
	mkfifo "$WORK/kvm-vm" "$WORK/kvm-vcpu:0"
	"$BUILD/tests/idle_vms" --count 1 --decoys <&9 >"$WORK/decoys.out" 3>&- 7<>"$WORK/kvm-vm" \
		8<>"$WORK/kvm-vcpu:0" &
	decoys=$!
	wait_for 10 grep -q ready "$WORK/decoys.out"
	ls -l "/proc/$decoys/fd" | grep -q 'kvm-vcpu:0'
	[ "$(values kvm.nvms) $(values kvm.nvcpus)" = "1 1" ]
	[ "$(values kvm.vm.pid)" = "idle_vms-$decoys $decoys" ]
	[ "$(values kvm.vcpu.stat.exits)" = "idle_vms-$decoys::vcpu0 0" ]
	let_go "$decoys"
}

@test "a VMM in a child PID namespace is shown with its PID of the agent's namespace" {
	unshare -pf --mount-proc --kill-child "$BUILD/tests/guest" --mmio 11 --stats "$WORK/inner" --hold <&9 >/dev/null 3>&- &
	outer=$!
	wait_for 10 test -s "$WORK/inner"
	inner=$(pgrep -P "$outer")
	[ "$(values kvm.vm.pid)" = "guest-$inner $inner" ]
	[ "$(value kvm.vcpu.stat.mmio_exits "guest-$inner::vcpu0")" = 11 ]
	let_go "$inner" "$outer"
}

@test "kvmbpf in a PID namespace shows only its VMs, with their PIDs in it" {
	hold guest --mmio 11
	unshare -pf --mount-proc --kill-child bash -c "
		sleep 5 | $BUILD/tests/guest --mmio 13 --stats $WORK/inside --hold >/dev/null &
		until [ -s $WORK/inside ]; do sleep 0.1; done
		pgrep guest >$WORK/pid
		$BUILD/kvmbpf dump -d 0 --json >$WORK/json" 3>&-
	pid=$(cat "$WORK/pid")
	[ "$pid" -lt 20 ]
	run jq -c '[.metrics[] | select(.name | test("kvm.vm.pid|kvm.nvms|kvm.mmio_exits")).values[]
		| [.instance, .value]]' "$WORK/json"
	echo "$output"
	[ "$(jq -c sort <<<"$output")" = "[[\"\",1],[\"\",13],[\"guest-$pid\",$pid]]" ]
	let_go "$GUEST"
}

@test "only a fetch of statistics runs a pass, and only one" {
	need strace
	hold guest --mmio 11
	agent_pid=$(pgrep -P "$PMCD_PID" -x pmdakvm)
	strace -qq -p "$agent_pid" -e trace=read,write,bpf -o "$WORK/strace" 3>&- &
	strace_pid=$!
	wait_for 10 grep -qs "TracerPid:.$strace_pid" "/proc/$agent_pid/status"
	for _ in 1 2 3; do
		pminfo -h "$PMCD_HOST" -f kvm.trace >/dev/null
		pminfo -h "$PMCD_HOST" -f kvm.exits kvm.nvms kvm.vm.stat.exits kvm.vcpu.stat.exits >/dev/null
	done
	kill "$strace_pid"
	wait "$strace_pid" || true
	let_go "$GUEST"
	# a request begins with its length and type; 0x7003 is a fetch
	run awk '/^read\(0, .*p\\3/ { fetch = 1; n = b = 0 } /BPF_ITER_CREATE/ { n++ } /^bpf/ { b++ }
		/^write\(1/ && fetch { print n, b + 0; fetch = 0 }' "$WORK/strace"
	echo "$output"
	[ "$(xargs <<<"$output")" = "0 0 1 1 0 0 1 1 0 0 1 1" ]
}

@test "the DSO shows VMs too, and keeps their totals" {
	daemon_work=$WORK
	new_work
	(
		pmcd_env "$WORK"
		printf '[trace]\nkvm_pio\n' >"$WORK/etc/kvm/kvm.conf"
		pmcd_files "$WORK" "$TOP" "$BUILD" dso
		export LD_PRELOAD=$SAN_PRELOAD ASAN_OPTIONS=detect_leaks=0
		pmcd_start "$WORK"
		LD_PRELOAD='' hold guest --vms 2 --vcpus 2 --mmio 11
		pcp_values >"$WORK/ours"
		let_go "$GUEST"
		echo "$(values kvm.nvms) $(values kvm.mmio_exits)" >"$WORK/after"
		pmcd_stop
		stat_values "guest-$GUEST" <"$STATS" | diff - "$WORK/ours"
	)
	[ "$(cat "$WORK/after")" = "0 44" ]
	WORK=$daemon_work
}
