# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests the reports of dashboards/pmrep, with an archive of known rates and with a live guest.

load common

setup() {
	need pmrep
	new_work
	export PCP_PYTHON_PROG=/usr/bin/python3 PCP_COLOR=0 HOME=$WORK LC_ALL=C.UTF-8
	export PCP_DERIVED_CONFIG=$TOP/dashboards/derived/kvm.conf
	cd "$WORK" || return 1
}

# report ARGUMENT...: run pmrep with the archive and our configuration only
report() {
	[ -e "$WORK/exits.meta" ] || "$PCP_PYTHON_PROG" "$TOP/tests/data/exit-archive.py" "$WORK/exits"
	pmrep -z -c "$TOP/dashboards/pmrep/kvm.conf" -a "$WORK/exits" -t 10 "$@"
}

@test ":kvm-exits shows rate, average and share by reason" {
	report :kvm-exits >"$WORK/out"
	diff - "$WORK/out" <<-END
		00:00:00                      N/A

		                          VM-EXIT      exits/s       avg us    %time
		00:00:10                      hlt       500.00      1600.00    96.97
		00:00:10                       io      5000.00         5.00     3.03

		                          VM-EXIT      exits/s       avg us    %time
		00:00:20                      hlt       500.00      1500.00    98.33
		00:00:20                       io      2500.00         5.00     1.64
		00:00:20                      npf       100.00         2.50        ~

		                          VM-EXIT      exits/s       avg us    %time
		00:00:30                      hlt       250.00      1600.00   100.00
		00:00:30                      npf         1.00         2.50        ~
	END
}

@test ":kvm-vm shows the same by VM and reason, also when VMs end" {
	report :kvm-vm >"$WORK/out"
	diff - "$WORK/out" <<-END
		00:00:00                              N/A

		                              VM::VM-EXIT      exits/s       avg us    %time
		00:00:10                   web1-4711::hlt       200.00      1500.00    36.36
		00:00:10                    web1-4711::io      4000.00         5.00     2.42
		00:00:10                     db-4720::hlt       300.00      1666.67    60.61
		00:00:10                      db-4720::io      1000.00         5.00        ~

		                              VM::VM-EXIT      exits/s       avg us    %time
		00:00:20                   web1-4711::hlt       200.00      1250.00    32.78
		00:00:20                    web1-4711::io      2000.00         5.00     1.31
		00:00:20                   web1-4711::npf       100.00         2.50        ~
		00:00:20                     db-4720::hlt       300.00      1666.67    65.55
		00:00:20                      db-4720::io       500.00         5.00        ~

		                              VM::VM-EXIT      exits/s       avg us    %time
		00:00:30                   web1-4711::hlt       250.00      1600.00   100.00
		00:00:30                   web1-4711::npf         1.00         2.50        ~
	END
}

@test ":kvm-userspace shows rate, average and time by reason" {
	report :kvm-userspace >"$WORK/out"
	diff - "$WORK/out" <<-END
		00:00:00                      N/A

		                   USERSPACE-EXIT      exits/s       avg us     ms/s
		00:00:10                       IO      5000.00         4.00    20.00
		00:00:10                     MMIO       100.00         5.00        ~
		00:00:20                       IO      2500.00         4.00    10.00
		00:00:20                     MMIO        50.00         5.00        ~

		                   USERSPACE-EXIT      exits/s       avg us
		00:00:30                     MMIO         1.00         5.00
		00:00:30                  restart            ~      4000.00
	END
}

# table REPORT ARGUMENT...: the report of the archive of tests/data/reports.archive
table() {
	[ -e "$WORK/table.meta" ] ||
		"$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/table" <"$TOP/tests/data/reports.archive"
	pmrep -z -c "$TOP/dashboards/pmrep/kvm.conf" -a "$WORK/table" -t 10 "$@" >"$WORK/out"
}

@test ":kvm shows what each VM costs and where its time goes, also of one that comes later, where kvm_exit never fires" {
	table :kvm
	diff - "$WORK/out" <<-END
		00:00:00                   N/A

		                            VM  exits/s    VMM/s   CPUs guest%  kvm% poll% halt%  vmm% ready% unkn%
		00:00:10             web1-4711  10000.0    100.0   1.30   40.0  10.0   5.0  25.0  10.0   10.0   0.0

		                            VM  exits/s    VMM/s   CPUs guest%  kvm% poll% halt%  vmm% ready% unkn%
		00:00:20             web1-4711  20000.0    200.0   1.30   40.0  10.0   5.0  25.0  10.0   10.0   0.0
		00:00:20               db-4720        ~      5.0   0.40      ~     ~     ~  60.0  20.0    0.0  20.0
	END
	# sorted by a person; what no VM has has no column
	table :kvm -6 -kvm_vm_time.cpus
	[ "$(awk '/^00:00:20/ { print $2 }' "$WORK/out" | tr '\n' ' ')" = "db-4720 web1-4711 " ]
	table :kvm -i db-4720
	grep -qE '^ +VM +VMM/s +CPUs +halt% +vmm% +ready% +unkn%$' "$WORK/out"
}

@test ":kvm-vcpu shows vCPUs and where their time went" {
	table :kvm-vcpu
	diff - "$WORK/out" <<-END
		00:00:00                                      N/A

		                                         VM::VCPU    exits/s   guest%    exit%    halt%   ready%
		00:00:10                         web1-4711::vcpu0    6000.00    60.00    40.00    25.00     5.00
		00:00:10                         web1-4711::vcpu1    4000.00     0.00   100.00    90.00     0.00
		00:00:20                         web1-4711::vcpu0    6000.00    50.00    50.00    25.00    10.00
		00:00:20                         web1-4711::vcpu1   14000.00    10.00    90.00    90.00     2.50
	END
}

@test ":kvm-cause shows causes and their devices" {
	table :kvm-cause
	diff - "$WORK/out" <<-END
		                                 VM::CAUSE       device
		00:00:00             web1-4711::io:0x3f8:w       serial
		00:00:00            web1-4711::msr:0x830:w       x2APIC

		                                 VM::CAUSE       device   access/s      VMM/s VMM ms/s exit ms/s
		00:00:10             web1-4711::io:0x3f8:w       serial     500.00     500.00     5.00     10.00
		00:00:10            web1-4711::msr:0x830:w       x2APIC      30.00       0.00     0.00      0.30
		00:00:20             web1-4711::io:0x3f8:w       serial     500.00     500.00    10.00     20.00
		00:00:20            web1-4711::msr:0x830:w       x2APIC      30.00       0.00     0.00      0.30
	END
}

@test ":kvm-time shows where a VM's time went, in per cent that add up to 100" {
	table :kvm-time
	grep -qE '^00:00:20 +web1-4711 +40.00 +10.00 +5.00 +25.00 +10.00 +10.00 +0.00$' "$WORK/out"
}

@test ":kvm-halt counts halts and wake-ups by time, and KVM's polling by VM" {
	table :kvm-halt
	diff - "$WORK/out" <<-END
		00:00:00                                  N/A

		                           VM::FROM-TO ns, VM   polled    slept    woken poll us/s  polls/s  us/poll
		00:00:10                web1-4711::8192-16383       70        ~       30         ~        ~        ~
		00:00:10           web1-4711::1048576-2097151        ~       30        ~         ~        ~        ~
		00:00:10                            web1-4711        ~        ~        ~      1000       10      100

		                           VM::FROM-TO ns, VM   polled    slept    woken poll us/s  polls/s  us/poll
		00:00:20               web1-4711::16384-32767       20       30        ~         ~        ~        ~
		00:00:20           web1-4711::1048576-2097151        ~       30        ~         ~        ~        ~
		00:00:20                web1-4711::8192-16383        ~        ~       60         ~        ~        ~
		00:00:20                            web1-4711        ~        ~        ~      1500       15      100
	END
}

@test ":kvm-latency counts what fell into each bucket in the interval" {
	table :kvm-latency
	diff - "$WORK/out" <<-END
		00:00:00                                          N/A

		                                   REASON::FROM-TO ns          exits      VMM exits
		00:00:10                               hlt::4096-8191              3              ~
		00:00:10                                io::1024-2047           1000              ~
		00:00:10                                IO::1024-2047              ~              7

		                                   REASON::FROM-TO ns          exits      VMM exits
		00:00:20                               hlt::4096-8191              2              ~
		00:00:20                          io::1048576-2097151              1              ~
		00:00:20                          IO::1048576-2097151              ~              1
	END
}

@test ":kvm-trace shows events by CPU, those that are counted" {
	table :kvm-trace
	diff - "$WORK/out" <<-END
		00:00:00      N/A

		              CPU    exit/s    mmio/s
		00:00:10     cpu0     50.00      1.00
		00:00:10     cpu1     70.00      0.00
		00:00:20     cpu0     10.00      0.00
		00:00:20     cpu1     20.00      5.00
	END
}

@test "no report is wider than 100 columns, whatever VMs are called" {
	sed 's/web1-4711/a-name-of-sixty-four-bytes-which-is-as-long-as-the-agent-lets-it-be-471100/' \
		"$TOP/tests/data/reports.archive" | "$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/long"
	"$PCP_PYTHON_PROG" "$TOP/tests/data/exit-archive.py" "$WORK/exits"
	sed -n 's/^\[\(kvm.*\)\]$/\1/p' "$TOP/dashboards/pmrep/kvm.conf" >"$WORK/reports"
	[ "$(wc -l <"$WORK/reports")" -ge 8 ]
	while read -r name; do
		for archive in long exits; do
			pmrep -z -c "$TOP/dashboards/pmrep/kvm.conf" -a "$WORK/$archive" -t 10 ":$name" || true
		done >"$WORK/one" 2>/dev/null
		grep -q '^00:00:10 .*[0-9]$' "$WORK/one"
		cat "$WORK/one" >>"$WORK/out"
	done <"$WORK/reports"
	run grep -E '.{101}' "$WORK/out"
	[ "$status" = 1 ]
}

@test "a report of what an archive does not have says so" {
	echo "kvm.vm.vcpus|web1-4711|2 2 2" | "$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/exits"
	run report :kvm-vcpu
	[ "$output" = "Not one known metric found." ]
	[ "$status" = 1 ]
	rm "$WORK"/exits.*
	echo "kvm.vm.exit.total|web1-4711|0 20 40" | "$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/exits"
	report :kvm >"$WORK/out"
	grep -qx '00:00:20 *web1-4711 *2.0' "$WORK/out"
}

@test "pmrep's options select one VM, the top reason, and CSV" {
	report -i 'web1-.*' -s 2 :kvm-vm >"$WORK/out"
	[ "$(awk '/::[a-z]/ { print $2, $5 }' "$WORK/out")" = "web1-4711::hlt 36.36
web1-4711::io 2.42" ]
	report -J 1 -N kvm_exit.share :kvm-exits >"$WORK/out"
	[ "$(awk '/^00:.* [0-9]/ { print $2, $3, $4, $5 }' "$WORK/out")" = "hlt 500.00 1600.00 96.97
hlt 500.00 1500.00 98.33
hlt 250.00 1600.00 100.00" ]
	report -o csv -F "$WORK/out.csv" :kvm-exits
	[[ $(grep -A1 count-hlt "$WORK/out.csv" | sed -n 2p) == "2026-01-01 00:00:10 500.00 5000.00 "* ]]
}

@test ":kvm-userspace shows a live guest" {
	need_kvm
	grep -q '"kvm.userspace_exit.count"' "$TOP/src/metrics/metrics.def" ||
		skip "exits to userspace are not counted yet"
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		"$BUILD/tests/guest" --repeat --pause-ms 10 --pio 101 >/dev/null 2>&1 3>&- &
		guest=$!
		counts() { [ -n "$(value kvm.userspace_exit.count IO)" ]; }
		wait_for 10 counts
		pmrep -h "$PMCD_HOST" -c "$TOP/dashboards/pmrep/kvm.conf" -s 3 -t 1 :kvm-userspace >"$WORK/out" 2>&1 || true
		kill -KILL $guest
		pmcd_stop
	)
	cat "$WORK/out"
	awk '$2 == "IO" && $3 > 100 && $4 > 0 && $5 > 0 { found = 1 } END { exit !found }' "$WORK/out"
}

# Clients that begin before the first VM show it once it is there. pmrep ends where a report
# sorts by a metric that has no instance yet.
has() {
	[ "$(value kvm.userspace_exit.count "$1")" = "$2" ]
}

# vms_shown: each report shows what the guest does
vms_shown() {
	awk '$2 == "IO" && $3 > 100 { found = 1 } END { exit !found }' "$WORK/kvm-userspace" &&
		awk '$2 ~ /^guest-[0-9]+$/ && $3 > 100 && $4 > 0 { found = 1 } END { exit !found }' "$WORK/kvm" &&
		awk '$2 ~ /^guest-[0-9]+::vcpu0$/ && $3 > 100 { found = 1 } END { exit !found }' "$WORK/kvm-vcpu" &&
		awk '$2 ~ /^guest-[0-9]+::io:0xe9:w$/ && $(NF - 2) > 100 { found = 1 } END { exit !found }' "$WORK/kvm-cause" &&
		awk '$2 ~ /^IO::[0-9]+-[0-9]+$/ && $NF > 10 { found = 1 } END { exit !found }' "$WORK/kvm-latency" &&
		awk '$2 ~ /^cpu[0-9]+$/ && $NF > 100 { found = 1 } END { exit !found }' "$WORK/kvm-trace" || return 1
	if [ -e /sys/module/kvm_amd ] || [ -e /sys/module/kvm_intel ]; then
		awk '$2 ~ /^[a-zA-Z]/ && $3 > 1 { found = 1 } END { exit !found }' "$WORK/kvm-exits" &&
			awk '$2 ~ /^guest-[0-9]+::/ && $3 > 1 { found = 1 } END { exit !found }' "$WORK/kvm-vm"
	fi
}

# pmrep writes a file only when its buffer is full, from PCP 6.3 on.
@test "every report that begins before the first VM goes on, and shows it" {
	need_kvm
	reports=$(sed -n 's/^\[\(kvm.*\)\]$/\1/p' "$TOP/dashboards/pmrep/kvm.conf")
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		wait_for 10 has MMIO 0
		# by TCP, as from another host
		port=$(tr '\0' ' ' <"/proc/$PMCD_PID/cmdline" | sed 's/.* -p \([0-9]*\) .*/\1/')
		pids=
		# pmrep alone gets a signal then, and one
		for report in $reports; do
			PYTHONUNBUFFERED=1 timeout --foreground 60 pmrep -h "127.0.0.1:$port" -c "$TOP/dashboards/pmrep/kvm.conf" -t 0.5 ":$report" \
				>"$WORK/$report" 2>&1 3>&- &
			pids="$pids $!"
		done
		begun() { [ "$(grep -l '^[0-9][0-9]:' "$WORK"/kvm* 2>/dev/null | wc -l)" = "$(wc -w <<<"$reports")" ]; }
		wait_for 30 begun
		"$BUILD/tests/guest" --repeat --pause-ms 10 --pio 101 >/dev/null 2>&1 3>&- &
		guest=$!
		failed=0
		wait_for 20 vms_shown || failed=1
		for pid in $pids; do
			kill -0 "$pid" || failed=1
			kill -INT "$pid"
			wait "$pid" || true
		done
		kill -KILL $guest
		pmcd_stop
		tail -n 30 $(for report in $reports; do echo "$WORK/$report"; done)
		[ $failed = 0 ]
	)
	# what has not happened is not shown
	run grep -E "FAIL_ENTRY|DEBUG" "$WORK/kvm-userspace"
	[ "$status" = 1 ]
	run grep -E "must have instances|Traceback|rror" "$WORK"/kvm*
	[ "$status" = 1 ]
}

# It asks for instances once, when it begins.
@test "pmdumptext that begins before the first VM has the marked reasons, and shows their rates later" {
	need_kvm
	need pmdumptext
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		wait_for 10 has MMIO 0
		pmdumptext -h "$PMCD_HOST" -s 1 kvm.vm.userspace_exit.count >"$WORK/empty" 2>&1 || echo "ended" >>"$WORK/empty"
		timeout 30 pmdumptext -h "$PMCD_HOST" -m -s 7 -t 0.5 -f '' kvm.userspace_exit.count >"$WORK/out" 2>&1 3>&- &
		text=$!
		wait_for 10 grep -q IO "$WORK/out"
		"$BUILD/tests/guest" --repeat --pause-ms 10 --pio 101 >/dev/null 2>&1 3>&- &
		guest=$!
		failed=0
		wait $text || failed=1
		kill -KILL $guest
		pmcd_stop
		[ $failed = 0 ]
	)
	cat "$WORK/empty" "$WORK/out"
	# of VMs there is nothing to list yet: it ends, as the man page says
	grep -q "no valid metrics" "$WORK/empty"
	grep -qx ended "$WORK/empty"
	awk -F'\t' '
		/IO/ { for (i = 1; i <= NF; i++) if ($i ~ /\[.?IO.?\]$/) io = i; else if ($i ~ /\[.?MMIO.?\]$/) mmio = i }
		io && $io > 100 && $mmio == "0.000" { rates++ }
		END { exit !(rates >= 3) }' "$WORK/out"
}

@test ":kvm-cause names what a live guest does, its device, and the VMM's time" {
	need_kvm
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		"$BUILD/tests/guest" --repeat --pause-ms 10 --access io:0x3f8:w=101 --access cpuid:0x1=53 >/dev/null 2>&1 3>&- &
		guest=$!
		counts() { [ -n "$(value kvm.cause.userspace_count io:0x3f8:w)" ]; }
		wait_for 10 counts
		pmrep -h "$PMCD_HOST" -c "$TOP/dashboards/pmrep/kvm.conf" -s 3 -t 1 :kvm-cause >"$WORK/out" 2>&1 || true
		kill -KILL $guest
		pmcd_stop
	)
	cat "$WORK/out"
	awk '$2 ~ /^guest-[0-9]+::io:0x3f8:w$/ && $3 == "serial" && $4 > 100 && $5 > 100 && $6 > 0 { found = 1 }
		END { exit !found }' "$WORK/out"
	grep -qE 'guest-[0-9]+::cpuid:0x1 +[a-z]' "$WORK/out"
}
