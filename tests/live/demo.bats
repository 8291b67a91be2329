# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests the demo, run twice as a user runs it.

load common

@test "the demo shows a real guest's rates, leaves nothing behind, and can run again" {
	need_kvm
	need pmrep
	export TMPDIR=$TMPDIR/demo
	mkdir -p "$TMPDIR"
	chmod 755 "$TMPDIR"
	for _ in 1 2; do
		rm -f "$BUILD/demo.html"
		run "$TOP/scripts/demo.sh" "$TOP" "$BUILD" 2 0.5
		echo "$output"
		[ "$status" = 0 ]
		# the default of [trace], and how to ask for more
		[[ $output == *"5 events are counted, per CPU"*"Name more in its [trace]"*"25 to 50 ns"* ]]
		[[ $output == *" kvm_exit "*" kvm_entry "*" kvm_mmio "*" kvm_hypercall "*" kvm_vcpu_wakeup"* ]]
		# the last round: thousands of MMIO accesses a second, on at least one CPU
		awk '/cpu[01]/ && $5 > 100 { found = 1 } END { exit !found }' <<<"$output"
		# the reports at the end; an empty one says why
		for report in kvm-exits kvm-vm kvm-userspace kvm-cause kvm-time kvm; do
			grep -A2 "(pmrep :$report)\$" <<<"$output" | grep -qE '^has nothing to show: no value of kvm[a-z_.]+|^[0-9:]+ +N/A$|^ +VM(::CAUSE)? '
		done
		[[ $output == *"VMs, the costliest first"*"Where vCPUs' time goes"*"Causes by VM"*"io:0x"*"$BUILD/demo.html"* ]]
		grep -qE '<th scope="row">guest-[0-9]+</th>' "$BUILD/demo.html"
		if command -v qemu-system-x86_64 >/dev/null; then
			grep -qE '<th scope="row">qemu-[0-9]+</th>' "$BUILD/demo.html"
			grep -qE '^ +qemu-[0-9]+::io:0x[0-9a-f]+:[rw] ' <<<"$output"
		fi
		[[ $output != *"pmcd:"* && $output != *rror* ]]
		[ "$(ls -A "$TMPDIR")" = "" ]
		[ "$(pgrep -f "$TMPDIR" | wc -l)" = 0 ]
	done
}

@test "the demo does not affect a running pmcd" {
	need_kvm
	new_work
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		# the demo's guest is a VM to that agent, too, whose name it remembers
		files() { find "$WORK" -type f ! -name instances | sort | xargs md5sum; }
		before=$(files)
		env -u PCP_RUN_DIR -u PMCD_SOCKET "$TOP/scripts/demo.sh" "$TOP" "$BUILD" 1 0.2 >/dev/null
		kill -0 "$PMCD_PID"
		[ "$(value kvm.agent.event.attached kvm_pio)" = 1 ]
		[ "$(files)" = "$before" ]
		pmcd_stop
	)
}
