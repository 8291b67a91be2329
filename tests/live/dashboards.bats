# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests what dashboards/ has for PCP's tools besides the reports: rules of pmie, groups of pmlogconf,
# derived metrics. Archives of known numbers are made by tests/data/archive.py.

load common

setup() {
	need pmrep
	new_work
	export PCP_PYTHON_PROG=/usr/bin/python3 PCP_COLOR=0 HOME=$WORK LC_ALL=C.UTF-8
	export PCP_DERIVED_CONFIG=$TOP/dashboards/derived/kvm.conf
	cd "$WORK" || return 1
}

# make_rules: $WORK/pmie.conf, of our rules and PCP's own settings, evaluated every 10 s.
make_rules() {
	local setting
	mkdir -p "$WORK/rules/pmdakvm"
	cp -r /etc/pcp/pmieconf/global "$WORK/rules/"
	cp "$TOP"/dashboards/pmieconf/* "$WORK/rules/pmdakvm/"
	for setting in "delta 10sec" "holdoff 0" "syslog_action no" "user_action yes"; do
		# shellcheck disable=SC2086
		pmieconf -r "$WORK/rules" -f "$WORK/pmie.conf" modify global $setting
	done
}

# alarms <LINES: what the rules say of an archive of these lines: SECOND RULE'S TITLE AND INSTANCES
alarms() {
	[ -e "$WORK/pmie.conf" ] || make_rules
	rm -f "$WORK"/archive.*
	"$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/archive"
	pmie -z -a "$WORK/archive" -t 10 -c "$WORK/pmie.conf" >"$WORK/pmie.out" 2>&1
	sed -nE 's/^shell .*:([0-9]+) [0-9]+: echo (.*)@example.org$/\1 \2/p' "$WORK/pmie.out" | sed -E 's:\.0([%/ ]):\1:'
}

# At their thresholds no rule says anything; VMs come and go.
healthy='
kvm.vm.vcpus|web1-4711|2 2 2 2
kvm.vm.vcpus|db-4720|4 4 - -
kvm.vm.vcpus|new-4800|- - 1 1
kvm.vm.stat.exits|web1-4711|0 1000000 2000000 3000000
kvm.vm.stat.exits|db-4720|0 1900000 - -
kvm.vm.stat.exits|new-4800|- - 0 400000
kvm.vm.stat.halt_poll_fail_ns|web1-4711|0 1000000000 2000000000 3000000000
kvm.vm.stat.halt_poll_fail_ns|db-4720|0 2000000000 - -
kvm.vm.stat.halt_poll_fail_ns|new-4800|- - 0 500000000
kvm.vm.userspace_exit.time|web1-4711::IO|0 2500000000 5000000000 5000000001
kvm.vm.userspace_exit.time|web1-4711::HLT|0 20000000000 40000000000 60000000000
kvm.vcpu.run_delay|web1-4711::vcpu0|0 500000000 1000000000 1500000000
kvm.agent.family.missed|exit|0 100 200 300
kvm.agent.event.missed|kvm_exit|0 100 200 300
kvm.agent.map.dropped|cause_sums|7 7 7 7
kvm.agent.family.attached|exit|1 1 1 0
kvm.agent.family.attached|stat|1 1 1 0
'

@test "rules of pmie say nothing at their thresholds, and know every value" {
	need pmie
	alarms <<<"$healthy" >"$WORK/said"
	cat "$WORK/pmie.out"
	[ ! -s "$WORK/said" ]
	pmie -v -z -a "$WORK/archive" -t 10 -c "$WORK/pmie.conf" >"$WORK/verbose" 2>&1
	rules=$(ls "$TOP/dashboards/pmieconf" | wc -l)
	[ "$(grep -c '00:00:10 .*: false' "$WORK/verbose")" = "$rules" ]
	# pmie has no rates for an interval in which instances came or went, and has them again in the next
	[ "$(grep -c '00:00:30 .*: false' "$WORK/verbose")" = "$rules" ]
}

# above METRIC|INSTANCE VALUES...: the healthy lines, with these values for one
above() {
	awk -F'|' -v OFS='|' -v key="$1" -v values="$2" \
		'$1 "|" $2 == key { $3 = values; found = 1 } 1; END { exit !found }' <<<"$healthy"
}

@test "each rule of pmie fires just above its threshold, and names the instance" {
	need pmie
	: >"$WORK/fired"
	while IFS='~' read -r key values says; do
		above "$key" "$values" | alarms >"$WORK/said"
		echo "$key: $(cat "$WORK/said")"
		[ "$(cat "$WORK/said")" = "$says" ]
		echo "$says" >>"$WORK/fired"
	done <<-'END'
		kvm.vm.stat.exits|web1-4711~0 1000000 2000000 3000020~30 Exit storm of a VM 50001 exits/s each vCPU[web1-4711]
		kvm.vm.stat.exits|new-4800~- - 0 700000~30 Exit storm of a VM 70000 exits/s each vCPU[new-4800]
		kvm.vm.stat.halt_poll_fail_ns|web1-4711~0 0 0 1200000000~30 The host polls in vain for halted guests 6%[web1-4711]
		kvm.vm.userspace_exit.time|web1-4711::IO~0 2600000000 5000000000 5000000000~10 A VM waits for its VMM 26%[web1-4711::IO]
		kvm.vcpu.run_delay|web1-4711::vcpu0~0 600000000 600000000 600000000~10 vCPUs wait for a CPU 6%[web1-4711::vcpu0]
		kvm.agent.family.missed|exit~0 0 110 110~20 The KVM agent missed exits 11/s[exit]
		kvm.agent.event.missed|kvm_exit~0 0 0 110~30 The KVM agent missed events 11/s[kvm_exit]
		kvm.agent.map.dropped|cause_sums~0 10 10 10~10 The KVM agent's maps are full 1/s[cause_sums]
		kvm.agent.family.attached|exit~1 1 0 0~20 The KVM agent counts only in part [exit]
	END
	# both rules of one metric
	above "kvm.vcpu.run_delay|web1-4711::vcpu0" "0 1100000000 1100000000 1100000000" | alarms >"$WORK/said"
	diff - "$WORK/said" <<-END
		10 vCPUs wait for a CPU 11%[web1-4711::vcpu0]
		10 vCPUs wait long for a CPU 11%[web1-4711::vcpu0]
	END
	cat "$WORK/said" >>"$WORK/fired"
	sed -n '/^string\trule$/{n;s/^\tdefault\t= "\(.*\)"$/\1/p}' "$TOP"/dashboards/pmieconf/* | while read -r title; do
		grep -qF "$title" "$WORK/fired" || { echo "no test fires: $title"; exit 1; }
	done
}

@test "thresholds can be set, rules switched off, and each has a help text" {
	need pmie
	make_rules
	set_() { pmieconf -r "$WORK/rules" -f "$WORK/pmie.conf" "$@"; }
	set_ modify pmdakvm.exit_storm threshold 60000
	above "kvm.vm.stat.exits|web1-4711" "0 1100000 2300000 3600000" | alarms >"$WORK/said"
	[ "$(cat "$WORK/said")" = "30 Exit storm of a VM 65000 exits/s each vCPU[web1-4711]" ]
	set_ disable pmdakvm.exit_storm
	above "kvm.vm.stat.exits|web1-4711" "0 1100000 2300000 3600000" | alarms >"$WORK/said"
	[ ! -s "$WORK/said" ]
	above "kvm.agent.map.dropped|cause_sums" "0 15 15 15" | alarms >"$WORK/said"
	[ "$(cat "$WORK/said")" = "10 The KVM agent's maps are full 1.50/s[cause_sums]" ]
	set_ modify pmdakvm.room threshold 1.5
	above "kvm.agent.map.dropped|cause_sums" "0 15 30 45" | alarms >"$WORK/said"
	[ ! -s "$WORK/said" ]
	# one family is switched off; then another is lost for ten seconds, and one more
	set_ modify pmdakvm.family_lost threshold 1
	above "kvm.agent.family.attached|exit" "0 0 0 0" | alarms >"$WORK/said"
	[ ! -s "$WORK/said" ]
	{
		above "kvm.agent.family.attached|exit" "0 0 0 0"
		echo "kvm.agent.family.attached|trace|1 1 0 1"
	} | alarms >"$WORK/said"
	diff - "$WORK/said" <<-END
		20 The KVM agent counts only in part [exit]@example.org [trace]
		30 The KVM agent counts only in part [exit]@example.org [stat]
	END
	for rule in "$TOP"/dashboards/pmieconf/*; do
		# each has one
		sed -n '/^[a-z]*\tthreshold$/{n;p}' "$rule" | grep -qE $'^\tdefault\t= [0-9.]+$'
		set_ help "pmdakvm.${rule##*/}" >"$WORK/help"
		[ "$(wc -w <"$WORK/help")" -gt 40 ]
	done
}

# names FILE...: the metrics that the files name outside comments, ours and derived ones
names() {
	grep -hv '^#' "$@" | grep -oE '\bkvm(_[a-z_]+)?\.[a-z_.]*[a-z_]' | grep -v '^kvm\.conf$' | sort -u
}

# known: every metric of the table, and every derived metric; and what begins one of these
known() {
	{
		"$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" --names | cut -d' ' -f1
		sed -nE 's/^(kvm_[a-z_.]+) = .*/\1/p' "$TOP/dashboards/derived/kvm.conf"
	} >"$WORK/leaves"
	sed -E ':a; p; s/\.[^.]+$//; ta' "$WORK/leaves" | sort -u
}

@test "dashboards name only metrics of the table, and derived metrics that are defined" {
	known >"$WORK/known"
	[ "$(wc -l <"$WORK/leaves")" -gt 300 ]
	for file in "$TOP"/dashboards/*/*; do
		names "$file" >"$WORK/names"
		[ -s "$WORK/names" ]
		comm -23 "$WORK/names" "$WORK/known" | sed "s|^|${file#"$TOP"/}: |" | tee -a "$WORK/unknown"
	done
	[ ! -s "$WORK/unknown" ]
	# every derived metric is shown somewhere, and says what it is
	for name in $(grep '^kvm_' "$WORK/leaves"); do
		grep -qF "$name" "$TOP"/dashboards/{pmrep,pmchart}/* || [[ $name =~ ^(kvm_vm_userspace_exit.busy|kvm_vm.(sleep|poll|waste))$ ]]
		grep -qF "$name(oneline) = " "$TOP/dashboards/derived/kvm.conf"
	done
}

@test "the groups of pmlogconf log whatever reports, rules and charts show" {
	known >/dev/null
	sed -nE 's/^\t(kvm[a-z_.]+)$/\1/p' "$TOP"/dashboards/pmlogconf/* | sort >"$WORK/logged"
	[ -z "$(uniq -d "$WORK/logged")" ]
	for file in "$TOP"/dashboards/{pmrep,derived,pmchart,pmieconf,pcp}/*; do
		sed '/^\thelp/,/;$/d' "$file" >"$WORK/file"
		for name in $(names "$WORK/file" | comm -12 - <(sort "$WORK/leaves") | grep '^kvm\.'); do
			grep -qxF -e "$name" -e "${name%.*}" "$WORK/logged" || { echo "${file#"$TOP"/}: $name"; return 1; }
		done
	done
}

@test "columns of reports say their units" {
	"$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" --names >"$WORK/table"
	awk -F' = ' '
	FILENAME ~ /table$/ { split($0, row, " "); semantics[row[1]] = row[2]; next }
	FILENAME ~ /derived/ { if ($1 ~ /\(oneline\)$/) { sub(/\(.*/, "", $1); says[$1] = $2 } next }
	$2 ~ /^kvm[a-z_]*\./ { metric[$1] = $2; next }
	$1 ~ /\.label$/ {
		key = $1
		sub(/\.label$/, "", key)
		name = metric[key]
		want = says[name] ~ /^CPUs/ ? "^CPUs$" : semantics[name] ~ /COUNTER|CUMULATIVE/ ? "/s$" : says[name] ~ /^milliseconds/ ? "ms/s$" :
			says[name] ~ /^microseconds/ ? "(^| )us(/[a-z]+)?$" : says[name] ~ /^percentage/ ? "%%" :
			semantics[name] || says[name] ~ /in the interval/ ? "^[A-Za-z ]+$" : "unknown"
		checked++
		if ($2 !~ want) { print name ": " $2 " is not " want; wrong = 1 }
	}
	END { exit wrong || checked < 30 }' "$WORK/table" "$TOP/dashboards/derived/kvm.conf" "$TOP/dashboards/pmrep/kvm.conf"
}

@test "charts find instances by a pattern, and are optional: they open where a metric or an instance lacks" {
	awk '/plot/ { plots++; if ($0 !~ /^\toptional-plot .* (not-)?matching "[^"]+"$/) { print FILENAME ": " $0; wrong = 1 } }
		/^chart/ && !/style stacking$/ { print FILENAME ": " $0; wrong = 1 }
		END { exit wrong || plots < 10 }' "$TOP"/dashboards/pmchart/*
}

# live_pmcd: a private pmcd with our agent in WORK, in a subshell that ends with pmcd_stop
live_pmcd() {
	pmcd_env "$WORK"
	conf '[trace]' kvm_pio
	pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	pmcd_start "$WORK"
}

# group_files: our groups of pmlogconf alone, where it looks for them
group_files() {
	mkdir -p "$WORK/groups/pmdakvm"
	cp "$TOP"/dashboards/pmlogconf/* "$WORK/groups/pmdakvm/"
}

# at_end METRIC INSTANCE: its last value in the archive
at_end() {
	pmdumplog "$WORK/logged" "$1" | sed -nE "s/.* inst \\[[0-9]+ or \"$2\"\\] value (.*)/\\1/p" | tail -n 1
}

@test "pmlogconf takes our groups, pmlogger logs them, and the archive has what a guest did" {
	need_kvm
	need pmlogger
	need pmlogconf
	group_files
	(
		live_pmcd
		pmlogconf -c -q -d "$WORK/groups" -h "$PMCD_HOST" "$WORK/pmlogger.conf" >"$WORK/said" 2>&1
		pmlogger -h "$PMCD_HOST" -c "$WORK/pmlogger.conf" -t 0.2sec -l "$WORK/logger.log" "$WORK/logged" 3>&- &
		logger=$!
		logs() { [ -s "$WORK/logged.index" ] && pminfo -a "$WORK/logged" kvm.nvms >/dev/null 2>&1; }
		wait_for 10 logs
		sleep 0.7 # three records: rates begin with the second
		"$BUILD/tests/guest" --pio $PIO --mmio $MMIO --hold </dev/zero >"$WORK/done" 2>/dev/null 3>&- &
		guest=$!
		wait_for 20 grep -q ^done "$WORK/done"
		sleep 0.5 # two more records
		kill -TERM $logger
		wait $logger || true
		kill $guest
		pmcd_stop
	)
	cat "$WORK/said" "$WORK/logger.log"
	for group in reports minute causes names; do
		grep -qE "^#\+ pmdakvm/$group:y:" "$WORK/pmlogger.conf"
	done
	[ "$(at_end kvm.userspace_exit.count IO)" = "$PIO" ]
	[ "$(at_end kvm.userspace_exit.count MMIO)" = "$MMIO" ]
	[ "$(at_end kvm.vm.userspace_exit.total 'guest-[0-9]*')" = $((PIO + MMIO + 1)) ]
	pmrep -z -a "$WORK/logged" -c "$TOP/dashboards/pmrep/kvm.conf" -t 0.2 :kvm-userspace >"$WORK/out"
	cat "$WORK/out"
	# rates of 0.2 s, with two digits
	awk -v want="$PIO" '$2 == "IO" { sum += $3 * 0.2 } END { exit !(sum > want - 20 && sum < want + 20) }' "$WORK/out"
}

@test "with the stock agent, or none, pmlogconf leaves our groups out" {
	need pmlogconf
	need_root
	group_files
	(
		pmcd_env "$WORK"
		echo "pmcd 2 dso pmcd_init /var/lib/pcp/pmdas/pmcd/pmda_pmcd.so" >"$WORK/pmcd.conf"
		printf 'root {\n\tpmcd\n}\npmcd {\n\tversion 2:0:3\n}\n' >"$WORK/root"
		agent_answers() { pminfo -h "$PMCD_HOST" -f pmcd.version 2>/dev/null | grep -q value; }
		pmcd_start "$WORK"
		pmlogconf -c -q -d "$WORK/groups" -h "$PMCD_HOST" "$WORK/pmlogger.conf" >"$WORK/said" 2>&1 || true
		pmcd_stop
	)
	cat "$WORK/said"
	[ -s "$WORK/pmlogger.conf" ]
	run grep -E '^#\+ pmdakvm/[a-z]+:y:' "$WORK/pmlogger.conf"
	[ "$status" = 1 ]
}

@test "rules of pmie say nothing of an idle guest, and tell when the VMM is waited for and a family is lost" {
	need_kvm
	need pmie
	make_rules
	pmieconf -r "$WORK/rules" -f "$WORK/pmie.conf" modify global delta 0.5sec
	(
		live_pmcd
		"$BUILD/tests/guest" --hold </dev/zero >/dev/null 2>&1 3>&- &
		idle=$!
		pmie -h "$PMCD_HOST" -c "$WORK/pmie.conf" >"$WORK/pmie.log" 2>&1 3>&- &
		pmie=$!
		said() { grep -q "$1" "$WORK/pmie.log"; }
		sleep 2 # four rounds of the rules
		cp "$WORK/pmie.log" "$WORK/idle.log"
		"$BUILD/tests/guest" --repeat --pio 1000 >/dev/null 2>&1 3>&- &
		busy=$!
		failed=0
		wait_for 15 said 'waits for its VMM.*guest-[0-9]*::IO' || failed=1
		pmstore -h "$PMCD_HOST" -i cause kvm.control.attached 0 >/dev/null
		wait_for 15 said 'counts only in part.*cause' || failed=1
		kill -TERM $pmie $busy $idle
		wait $pmie $busy $idle || true
		pmcd_stop
		[ $failed = 0 ]
	) || { cat "$WORK/pmie.log"; return 1; }
	cat "$WORK/idle.log"
	run grep -v '^\[\|^$\|Info' "$WORK/idle.log"
	[ "$status" = 1 ]
}

@test "rules of pmie say nothing of a QEMU that boots, at their interval of two minutes" {
	need_kvm
	need pmie
	need qemu-system-x86_64
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this boots x86's SeaBIOS"
	# shellcheck source=scripts/guests.sh
	. "$TOP/scripts/guests.sh"
	(
		live_pmcd
		start_qemu "$WORK" 3>&-
		# the firmware is done when the boot sector writes
		boots() { [ -n "$(values kvm.vm.cause.accesses | grep -E '^qemu-[0-9]+::io:0x3f8:w ')" ]; }
		wait_for 60 boots
		# what of it the rules read, as it was before QEMU began and from its boot on
		sed '/^\thelp/,/;$/d' "$TOP"/dashboards/pmieconf/* >"$WORK/predicates"
		for metric in $(names "$WORK/predicates"); do
			values "$metric" | awk -v metric="$metric" '/^qemu|^[a-z_]+ [0-9]+$/ {
				rest = ""
				for (i = 0; i < 12; i++)
					rest = rest " " $2
				print metric "|" $1 "|" (metric ~ /vcpus$|attached$/ ? $2 : 0) rest }'
		done >"$WORK/lines"
		guests_end
		pmcd_stop
	)
	cat "$WORK/lines"
	grep -q '^kvm.vm.userspace_exit.time|qemu-[0-9]*::IO|0 [1-9]' "$WORK/lines"
	grep -q '^kvm.vm.stat.exits|qemu-[0-9]*|0 [1-9]' "$WORK/lines"
	make_rules
	pmieconf -r "$WORK/rules" -f "$WORK/pmie.conf" modify global delta 2min
	# how long a vCPU waits for a CPU is for this host to say, which may be busy
	pmieconf -r "$WORK/rules" -f "$WORK/pmie.conf" disable pmdakvm.ready
	pmieconf -r "$WORK/rules" -f "$WORK/pmie.conf" disable pmdakvm.ready_high
	"$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/booted" <"$WORK/lines"
	pmie -v -z -a "$WORK/booted" -c "$WORK/pmie.conf" >"$WORK/verbose" 2>&1
	cat "$WORK/verbose"
	[ "$(grep -c '00:02:00 .*: false' "$WORK/verbose")" = $(($(ls "$TOP/dashboards/pmieconf" | wc -l) - 2)) ]
}

# start_display [SIZE]: a screen that nobody sees, $DISPLAY, with its dump in $WORK/screen; end_display ends it
start_display() {
	rm -rf "$WORK/display" "$WORK/screen"
	mkdir "$WORK/screen"
	Xvfb -displayfd 4 -screen 0 "${1:-1280x1024}x24" -nocursor -nolisten tcp -fbdir "$WORK/screen" 4>"$WORK/display" \
		>"$WORK/xvfb.log" 2>&1 3>&- &
	XVFB=$!
	wait_for 10 test -s "$WORK/display"
	DISPLAY=:$(cat "$WORK/display")
	export DISPLAY
}

end_display() {
	kill $XVFB
	wait $XVFB || true
}

# with_display COMMAND...: run it with such a screen
with_display() {
	local status=0
	start_display
	timeout 60 "$@" 3>&- || status=$?
	end_display
	return $status
}

# on_screen X Y PIXELS: so many of the view at that place are of an instance's colour: yellow, blue or red
on_screen() {
	"$PCP_PYTHON_PROG" - "$WORK/screen/Xvfb_screen0" "$@" <<-'END'
		import sys
		data, (x, y, want) = open(sys.argv[1], "rb").read(), map(int, sys.argv[2:])
		word = lambda i: int.from_bytes(data[4 * i:4 * i + 4], "big")
		start, line, found = word(0) + 12 * word(19), word(12), 0
		for row in range(y, y + 800):
		    part = data[start + row * line + 4 * x:][:4 * 900]
		    found += sum(part.count(colour) for colour in (b"\x00\xff\xff\x00", b"\xff\x00\x00\x00", b"\x00\x00\xff\x00"))
		print(found, "of", want, "at", x, y)
		sys.exit(found < want)
	END
}

# pixels FILE.ppm RED GREEN BLUE: how many are of this colour
pixels() {
	"$PCP_PYTHON_PROG" - "$@" <<-'END'
		import re, sys
		data = open(sys.argv[1], "rb").read()
		pixels = data[re.match(rb"P6\s+\d+\s+\d+\s+\d+\s", data).end():]
		want = bytes(map(int, sys.argv[2:]))
		print(sum(pixels[i:i + 3] == want for i in range(0, len(pixels), 3)))
	END
}

@test "pmchart draws each view of an archive, also what comes later in it" {
	need pmchart
	need Xvfb
	{
		cat "$TOP/tests/data/reports.archive"
		printf '%s\n' 'kvm.exit.count|io|0 3000 6000' 'kvm.exit.time|io|0 90000000 180000000' 'kvm.exit.count|npf|- 0 4000' \
			'kvm.exit.time|npf|- 0 90000000' 'kvm.userspace_exit.count|IO|0 3000 6000' \
			'kvm.userspace_exit.time|IO|0 90000000 180000000' 'kvm.userspace_exit.count|MMIO|- 0 5000' \
			'kvm.userspace_exit.time|MMIO|- 0 90000000'
	} | "$PCP_PYTHON_PROG" "$TOP/tests/data/archive.py" "$WORK/charts"
	for view in "$TOP"/dashboards/pmchart/*; do
		with_display pmchart -z -a "$WORK/charts" -c "$view" -t 10 -s 3 -v 3 -O +20 -o "$WORK/out.ppm" >"$WORK/said" 2>&1
		cat "$WORK/said"
		# the first instance is yellow, and the second, which comes later, blue, at least in the legend
		yellow=$(pixels "$WORK/out.ppm" 255 255 0) blue=$(pixels "$WORK/out.ppm" 0 0 255)
		echo "${view##*/}: $yellow yellow, $blue blue"
		[ "$yellow" -gt 2000 ]
		[ "$blue" -gt 100 ]
	done
}

@test "pmchart draws each view of a live host, also one that was opened before the first exit" {
	need_kvm
	need pmchart
	need Xvfb
	(
		pmcd_env "$WORK"
		conf '[trace]' kvm_pio
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
		# pmchart asks pmcd's own agent for the time zone
		echo "pmcd 2 dso pmcd_init /var/lib/pcp/pmdas/pmcd/pmda_pmcd.so" >>"$WORK/pmcd.conf"
		sed -i 's/^\tkvm$/\tkvm\n\tpmcd/' "$WORK/root"
		printf 'pmcd {\n\ttimezone 2:0:5\n\tversion 2:0:7\n\thostname 2:0:21\n}\n' >>"$WORK/root"
		pmcd_start "$WORK"
		start_display 1800x2400
		pmchart -h "$PMCD_HOST" -c "$TOP/dashboards/pmchart/KVM.VMM" -t 0.5 -geometry 900x800+900+1600 >"$WORK/early" 2>&1 3>&- &
		charts=$!
		# its legend
		wait_for 30 on_screen 900 1600 100
		"$BUILD/tests/guest" --repeat --pause-ms 10 --pio 101 --mmio 53 --access io:0x71:r=1,delay-us=2000 \
			>/dev/null 2>&1 3>&- &
		guest=$!
		counts() { [ -n "$(value kvm.userspace_exit.latency IO::1048576-2097151)$(value kvm.userspace_exit.latency IO::2097152-4194303)" ]; }
		wait_for 20 counts
		at=0
		for view in "$TOP"/dashboards/pmchart/*; do
			pmchart -h "$PMCD_HOST" -c "$view" -t 0.5 -geometry "900x800+$((at % 2 * 900))+$((at / 2 * 800))" \
				>"$WORK/${view##*/}.said" 2>&1 3>&- &
			charts="$charts $!"
			at=$((at + 1))
		done
		failed=
		wait_for 20 on_screen 900 1600 3000 || failed=early
		at=0
		for view in "$TOP"/dashboards/pmchart/*; do
			# where kvm_exit never fires, that view stays empty
			want=1000
			[ "${view##*/}" != KVM.Exits ] || [ -n "$(value kvm.vm.exit.total "guest-$guest")" ] || want=0
			wait_for 20 on_screen $((at % 2 * 900)) $((at / 2 * 800)) $want || failed="$failed $view"
			at=$((at + 1))
		done
		kill -KILL $guest
		kill $charts
		end_display
		pmcd_stop
		cat "$WORK"/early "$WORK"/*.said
		echo "failed: $failed"
		[ -z "$failed" ]
	)
}

@test "pmdakvm(1) has every report, rule, group and view, and each option of pcp kvm" {
	page() { grep -qF -- "$1" "$TOP/man/pmdakvm.1" || { echo "pmdakvm.1: $1"; return 1; }; }
	for name in $(sed -n 's/^\[\(kvm.*\)\]$/\1/p' "$TOP/dashboards/pmrep/kvm.conf"); do
		page ".B pmrep :${name//-/\\-}"
		grep -qF "\`:$name\`" "$TOP/README.md"
	done
	for rule in "$TOP"/dashboards/pmieconf/*; do
		page "pmdakvm.${rule##*/}"
		threshold=$(sed -n '/^[a-z]*\tthreshold$/{n;s/^\tdefault\t= //p}' "$rule")
		[ -z "$threshold" ] || page " $(LC_ALL=C sed -E 's/([0-9])([0-9]{3})$/\1,\2/' <<<"$threshold")"
	done
	for group in "$TOP"/dashboards/pmlogconf/*; do page "pmdakvm/${group##*/}"; done
	for view in "$TOP"/dashboards/pmchart/*; do page "${view##*/}"; done
	for option in $("$TOP/dashboards/pcp/pcp-kvm" --help 2>&1 | grep -oE '^ +-[a-zA-Z]|--html' | tr -d ' ' | grep -v V); do
		page "${option//-/\\-}"
	done
}
