# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests "pcp kvm", with archives of known numbers and with a live guest, as text and in a browser.

load common

setup() {
	need pmpython
	new_work
	export PCP_PYTHON_PROG=/usr/bin/python3 PCP_COLOR=0 HOME=$WORK LC_ALL=C.UTF-8
	cd "$WORK" || return 1
}

# archive <LINES: $WORK/archive, of tests/data/archive.py
archive() {
	rm -f "$WORK"/archive.*
	"$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/archive"
}

pcp_kvm() {
	"$TOP/dashboards/pcp/pcp-kvm" "$@"
}

# two VMs, of which db-4720 ends after 20 s and new-4800 begins then; 40 s
night='
kvm.vm.vcpus|web1-4711|2 2 2 2 2
kvm.vm.vcpus|db-4720|1 1 1 - -
kvm.vm.vcpus|new-4800|- - 1 1 1
kvm.vm.stat.exits|web1-4711|1000 101000 201000 301000 401000
kvm.vm.stat.exits|db-4720|500 40500 80500 - -
kvm.vm.stat.exits|new-4800|- - 400 800 4000
kvm.vm.exit.count|web1-4711::io|0 1000 2000 3000 4000
kvm.vm.exit.count|db-4720::io|0 50000 100000 - -
kvm.vm.exit.time|web1-4711::io|0 10000000 20000000 30000000 40000000
kvm.vm.exit.time|web1-4711::hlt|0 9000000000 18000000000 27000000000 36000000000
kvm.vm.exit.time|db-4720::io|0 1000000000 2000000000 - -
kvm.exit.count|io|0 51000 102000 103000 104000
kvm.exit.time|io|0 1010000000 2020000000 2030000000 2080000000
kvm.exit.count|hlt|0 100 200 300 400
kvm.exit.time|hlt|0 9000000000 18000000000 27000000000 36000000000
kvm.exit.latency|hlt::67108864-134217727|0 100 200 300 400
kvm.exit.latency|io::8192-16383|0 51000 102000 103000 104000
kvm.exit.latency|io::1048576-2097151|- - 1 3 4
kvm.vcpu.run_delay|web1-4711::vcpu0|0 1000000000 2000000000 3000000000 4000000000
kvm.vcpu.run_delay|web1-4711::vcpu1|0 0 0 0 400000000
kvm.vm.time.guest|web1-4711|0 8000000000 16000000000 24000000000 32000000000
kvm.vm.time.kvm|web1-4711|0 2000000000 4000000000 6000000000 8000000000
kvm.vm.time.halted|web1-4711|0 0 0 0 22000000000
kvm.vm.time.vmm|web1-4711|0 1000000000 2000000000 3000000000 4000000000
kvm.vm.time.ready|web1-4711|0 1000000000 2000000000 3000000000 4000000000
kvm.vm.time.unknown|web1-4711|0 0 0 0 0
kvm.vm.open.halted|web1-4711|0 8000000000 16000000000 24000000000 10000000000
kvm.vm.time.halted|new-4800|- - 0 8000000000 16000000000
kvm.vm.time.vmm|new-4800|- - 0 0 8000000000
kvm.vm.open.vmm|new-4800|- - 0 2000000000 -5000000000
kvm.vm.time.ready|new-4800|- - 0 0 0
kvm.vm.time.unknown|new-4800|- - 0 500000000 1000000000
kvm.vm.cause.device|db-4720::io:0x3f8:w|serial serial serial - -
kvm.vm.cause.accesses|db-4720::io:0x3f8:w|0 50000 100000 - -
kvm.vm.cause.userspace_count|db-4720::io:0x3f8:w|0 50000 100000 - -
kvm.vm.cause.userspace_time|db-4720::io:0x3f8:w|0 500000000 1000000000 - -
kvm.vm.cause.time|db-4720::io:0x3f8:w|0 1000000000 2000000000 - -
'

@test "pcp kvm shows an archive, the costliest VM first, also VMs that have ended" {
	archive <<<"$night"
	pcp_kvm -z -a archive >"$WORK/out"
	diff - "$WORK/out" <<-END
		KVM on example.org, 40 s to Thu Jan  1 00:00:40 2026

		VMs, the costliest first
		  VM         vCPUs  CPUs  exits/s  exit ms/s  VMM ms/s  ready ms/s  sleep ms/s  waste ms/s
		  web1-4711      2  1.10    10000        1.0         -       110.0           -           -
		  new-4800       1  0.10      100          -         -           -           -           -
		  db-4720        1     -     2000       50.0         -           -           -           -

		Where vCPUs' time goes, percent
		  VM         guest   kvm  halted   vmm  ready  unknown
		  web1-4711   40.0  10.0    40.0   5.0    5.0      0.0
		  new-4800       -     -    80.0  15.0    0.0      5.0

		VM exits by reason
		  reason  exits/s   avg us   ms/s
		  io       2600.0     20.0   52.0
		  hlt        10.0  90000.0  900.0

		Exits to the VMM by reason: none

		Causes by VM
		  VM::cause            device  access/s   VMM/s  VMM ms/s  exit ms/s
		  db-4720::io:0x3f8:w  serial    2500.0  2500.0      25.0       50.0

		Exits of 1 ms and longer, without halts
		  reason  kind     ms      exits
		  io      VM exit  1 to 2      4

	END
}

# of four records: web1 has one, then two, of which the first is there twice; db has one of yesterday
slow_night='
kvm.vm.stat.exits|web1-4711|0 10 20 30
kvm.vcpu.slow.when|web1-4711::vcpu0::slow0|- 1767225607500000000 1767225613000000000 -
kvm.vcpu.slow.when|web1-4711::vcpu0::slow1|- - 1767225607500000000 -
kvm.vcpu.slow.when|db-4720::vcpu1::slow0|1767139200000000000 1767139200000000000 1767139200000000000 -
kvm.vcpu.slow.duration|web1-4711::vcpu0::slow0|- 50123456 912000000 -
kvm.vcpu.slow.duration|web1-4711::vcpu0::slow1|- - 50123456 -
kvm.vcpu.slow.duration|db-4720::vcpu1::slow0|11000000 11000000 11000000 -
kvm.vcpu.slow.reason|web1-4711::vcpu0::slow0|- io npf -
kvm.vcpu.slow.reason|web1-4711::vcpu0::slow1|- - io -
kvm.vcpu.slow.reason|db-4720::vcpu1::slow0|msr msr msr -
kvm.vcpu.slow.cause|web1-4711::vcpu0::slow0|- io:0x3f8:w - -
kvm.vcpu.slow.cause|web1-4711::vcpu0::slow1|- - io:0x3f8:w -
kvm.vcpu.slow.kvm|web1-4711::vcpu0::slow0|- 61000 11000000 -
kvm.vcpu.slow.vmm|web1-4711::vcpu0::slow0|- 50001456 1000000 -
kvm.vcpu.slow.vmm|web1-4711::vcpu0::slow1|- - 50001456 -
kvm.vcpu.slow.ready|web1-4711::vcpu0::slow0|- 61000 900000000 -
'

@test "pcp kvm and its page show each slow exit of the interval once, the longest first" {
	archive <<<"$slow_night"
	slow() { pcp_kvm -z -a archive "$@" | sed -n '/^Slow exits/,/^$/p'; }
	diff - <(slow) <<-END
		Slow exits, the longest first
		  vCPU              when                ms  reason  cause       mostly
		  web1-4711::vcpu0  Jan  1 00:00:13  912.0  npf     -           ready
		  web1-4711::vcpu0  Jan  1 00:00:07   50.1  io      io:0x3f8:w  vmm

	END
	[ "$(slow -t 10 | awk '/vcpu0/ { print $4, $5 }' | tr '\n' ';')" = "00:00:07 50.1;00:00:13 912.0;" ]
	[ "$(slow -S +20)" = "Slow exits, the longest first: none" ]
	pcp_kvm -z -a archive --html page.html
	tr '\n' ' ' <page.html >page.line
	grep -qF '<th scope="row">web1-4711::vcpu0</th> <td>Jan  1 00:00:13</td> <td class="n">912.0</td> <td>npf</td> <td>-</td> <td>ready</td>' page.line
	grep -qF '<caption>Slow exits, the longest first; bars: ms</caption>' page.line
}

@test "pcp kvm takes -S, -T, -O, -t and -s" {
	archive <<<"$night"
	heads() { pcp_kvm -z -a archive "$@" | sed -n 's/^KVM on example.org, \(.*\) to .* \(00:.*\) 2026$/\1 \2/p' | tr '\n' ';'; }
	[ "$(heads -t 10)" = "10 s 00:00:10;10 s 00:00:20;10 s 00:00:30;10 s 00:00:40;" ]
	[ "$(heads -t 20 -s 1)" = "20 s 00:00:20;" ]
	[ "$(heads -S +20)" = "20 s 00:00:40;" ]
	[ "$(heads -T +20)" = "20 s 00:00:20;" ]
	[ "$(heads -O +10 -t 10 -s 2)" = "10 s 00:00:20;10 s 00:00:30;" ]
	# by way of pcp(1), which hands its options on
	mkdir -p "$HOME/.pcp/bin"
	ln -s "$TOP/dashboards/pcp/pcp-kvm" "$HOME/.pcp/bin/"
	[ "$(pcp -z -a "$WORK/archive" -t 20 kvm | grep -c '^KVM on example.org, 20 s')" = 2 ]
	# the sum over intervals is that of the whole: 401000 - 1000 exits
	sum() { pcp_kvm -z -a archive -t 10 | awk '$1 == "'"$1"'" && NF == 9 { sum += $4 * 10 } END { print sum }'; }
	[ "$(sum web1-4711)" = 400000 ]
	[ "$(sum new-4800)" = 4000 ]
}

@test "pcp kvm counts nothing twice of a VM that is away for a record, and nothing of what began anew" {
	archive <<-END
		kvm.vm.stat.exits|away-4900|100000 101000 - 102000 103000
		kvm.vm.stat.exits|anew-4901|100000 101000 500 1500 2500
	END
	[ "$(pcp_kvm -z -a archive | awk '$1 == "away-4900" { print $4 * 40 }')" = 3000 ]
	[ "$(pcp_kvm -z -a archive | awk '$1 == "anew-4901" { print $4 * 40 }')" = 3000 ]
}

@test "pcp kvm: what an open interval turns out to have waited for a CPU is ready once" {
	archive <<-END
		kvm.vm.time.halted|web1-4711|0 0 6000000000
		kvm.vm.time.ready|web1-4711|0 0 4000000000
		kvm.vm.time.unknown|web1-4711|0 0 0
		kvm.vm.open.halted|web1-4711|0 10000000000 10000000000
		kvm.vm.time.halted|odd-4712|0 0 0
		kvm.vm.time.ready|odd-4712|0 0 8000000000
		kvm.vm.time.unknown|odd-4712|0 0 10000000000
		kvm.vm.open.halted|odd-4712|5000000000 5000000000 3000000000
	END
	times() { pcp_kvm -z -a archive "$@" | sed -n '/^Where/,/^$/p' | awk '$1 == "'"$vm"'" { print $2, $3, $4 }' | tr '\n' ';'; }
	vm=web1-4711
	[ "$(times)" = "80.0 20.0 0.0;" ]
	[ "$(times -t 10)" = "100.0 0.0 0.0;60.0 40.0 0.0;" ]
	vm=odd-4712
	[ "$(times)" = "0.0 37.5 62.5;" ]
}

@test "pcp kvm says what a source lacks, and what is wrong with each option" {
	says() { # STATUS TEXT ARGUMENT...: it ends with that status, and says this in one line
		local want=$1 text=$2
		shift 2
		run pcp_kvm "$@"
		echo "$*: $output"
		[ "$status" = "$want" ] && [ "$(wc -l <<<"$output")" = 1 ] && [[ $output == "pcp-kvm: "*"$text"* ]]
	}
	echo "kvm.nvms||1 1 1" | archive
	says 1 "the source has no metric of the KVM agent pmdakvm: it has to be installed on that host" -a archive
	echo "kvm.vm.stat.exits|web1-4711|1" | archive
	says 1 "the source has no two records in that time" -a archive
	says 1 none -a "$WORK/none"
	says 1 localhost:1 -h localhost:1
	echo "kvm.vm.stat.exits|web1-4711|1 2 3" | archive
	says 1 "the source has no two records in that time" -z -a archive -S +100
	says 1 "/none/page.html: cannot be written: No such file or directory" -a archive --html /none/page.html
	says 1 "$WORK: cannot be written: Is a directory" -a archive --html "$WORK"
	for option in "-t soon" "-S sometime" "-T never" "-O nowhere" "-s many" "-Z Nowhere/At/All -z"; do
		# shellcheck disable=SC2086 # an option and its value
		run pcp_kvm -a archive $option
		echo "$option: $output"
		[ "$status" = 1 ]
		[[ $output == *"${option#-? }"* || $output == *Usage* ]]
		[[ $output != *Traceback* ]]
	done
	run pcp_kvm -a archive left over
	[ "$status" = 1 ]
	[ "$output" = 'pcp-kvm: what is "left over"? It takes options only; see --help' ]
	run pcp_kvm -a archive -h localhost
	[ "$status" = 1 ]
	[[ $output != *Traceback* ]]
	run pcp_kvm --nonsense
	[ "$status" = 1 ]
	[[ $output == *--html* ]]
}

@test "the page needs no network, and a browser shows its tables" {
	need chromium-headless-shell
	sed 's/db-4720/<b>\&"x-4720/' <<<"$night" | archive
	pcp_kvm -z -a archive --html page.html
	# nothing that a browser would fetch or run
	run grep -oiE 'https?:|src=|href=|url\(|@import|<script|<link|<img' page.html
	[ "$status" = 1 ]
	unshare -n chromium-headless-shell --no-sandbox --dump-dom "file://$WORK/page.html" >dom.html 2>/dev/null
	# as the browser has read it: names are text, numbers are in their rows
	[ "$(grep -c '<th scope="row">&lt;b&gt;&amp;"x-4720</th>' dom.html)" = 1 ]
	run grep '<b>' dom.html
	[ "$status" = 1 ]
	tr '\n' ' ' <dom.html | grep -q '<th scope="row">io</th> <td class="n">2600.0</td> <td class="n">20.0</td> <td class="n">52.0</td>'
	# for a screen reader: captions, headings of rows and columns, a language; bars are not read
	[ "$(grep -o '<table>' dom.html | wc -l)" = "$(grep -o '<caption>' dom.html | wc -l)" ]
	[ "$(grep -o '<table>' dom.html | wc -l)" = 5 ]
	grep -q '<html lang="en">' dom.html
	run grep -E '<div|<i' <(grep -v 'aria-hidden="true"' dom.html)
	[ "$status" = 1 ]
	# in black and white: no colour but shades of grey
	for colour in $(grep -oE '#[0-9a-f]{3}\b' page.html); do
		[ "${colour:1:1}" = "${colour:2:1}" ]
		[ "${colour:2:1}" = "${colour:3:1}" ]
	done
}

@test "pcp kvm shows a live guest, and a host without a VM" {
	need_kvm
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		pmcd_start "$WORK"
		values kvm.nvms >"$WORK/nvms"
		pcp_kvm -h "$PMCD_HOST" -t 0.2 >"$WORK/none" 2>&1
		"$BUILD/tests/guest" --repeat --pause-ms 10 --pio 101 >/dev/null 2>&1 3>&- &
		guest=$!
		counts() { [ -n "$(value kvm.userspace_exit.count IO)" ]; }
		wait_for 10 counts
		pcp_kvm -h "$PMCD_HOST" -t 0.5 -s 2 >"$WORK/out" 2>&1
		kill -KILL $guest
		pmcd_stop
	)
	cat "$WORK/none" "$WORK/out"
	# somebody else's may run
	[ "$(cat "$WORK/nvms")" != 0 ] || grep -q '^VMs, the costliest first: none' "$WORK/none"
	grep -q '^VMs, the costliest first' "$WORK/none"
	[ "$(grep -c '^KVM on ' "$WORK/out")" = 2 ]
	awk '$1 ~ /^guest-[0-9]+$/ && $2 == 1 && $4 > 100 && $6 > 0 { found = 1 } END { exit !found }' "$WORK/out"
	awk '$1 == "IO" && $2 > 100 && $3 > 0 && $4 > 0 { found = 1 } END { exit !found }' "$WORK/out"
	grep -qE '^ +guest-[0-9]+::io:0xe9:w ' "$WORK/out"
}
