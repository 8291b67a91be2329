# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh disable=SC2154 # MACHINE and numbers go in front of the script
#
# Runs in every machine and kernel (tests/boot/kernels.bats): what kvmbpf dump counts of guests, against
# the kernel's own counts and what the guests are known to do. Prints "FAMILY exact" or "FAMILY not
# REASON" for trace, exit, userspace_exit, stat, cause and ledger;
# "overcommit ...": the same of more vCPUs than CPUs;
# with RAW "raw ...": and all events are attached as raw tracepoints; "nested ...": of a guest's guest;
# "dirty ...": of a guest whose pages are logged; "pause ...": exits by PAUSE; with old_exits "old ...": what
# the programs of before the engine, attached beside, have counted and timed by reason, and no more with OLD_ALONE; with NOJIT "nojit ...":
# the same where programs are not compiled. With MOVES a thread can move to
# another CPU between two that count its event. LOCKDOWN is the kernel's lockdown mode. Under confidentiality
# there is no tracefs, and no count of the kernel's own: what guests do is what there is to compare with.
# UNSEEN: states of the ledger that have no value on this kernel.
#
# HERE: not in a boot but on this host, as root; what a boot has in its root folder is in that one.
#
# kvmbpf has exactly two capabilities, CAP_BPF and CAP_PERFMON.
set -e
tracing=/sys/kernel/tracing
events=$tracing/events/kvm
work=${HERE:-/tmp}/machine
mkdir -p $work
alone=
raw_cause=
if [ -n "${LOCKDOWN:-}" ] && ! grep -F "[$LOCKDOWN]" /sys/kernel/security/lockdown >/dev/null; then
	echo "the lockdown mode is not $LOCKDOWN: $(cat /sys/kernel/security/lockdown)"
	exit 1
fi
if [ "${LOCKDOWN:-}" = confidentiality ]; then
	tracing='' alone=yes
	raw_cause="kernel lockdown mode is confidentiality: there is no tracefs"
fi

# Debian's is 3, which wants a third capability for what perf attaches
[ -n "${HERE:-}" ] || echo 2 >/proc/sys/kernel/perf_event_paranoid

# What guests here can do; what an exit's reason is in the trace. known [VCPUS]: how many events and exits of
# which names that is, by VM. seen: exits that there must be some of.
case $MACHINE in
arm64)
	does="--mmio $MMIO --msr $MSR --hypercall $HYPERCALL"
	more="--fault $FAULT --access mmio:0xd0000000:w=$SLEEPS,delay-us=20000"
	fields=ret,esr_ec
	known() {
		n=${1:-1}
		sleeps=$((n == 1 ? SLEEPS : 0))
		echo "known exit SYS64 $((n * MSR))"
		echo "known exit HVC64 $((n * HYPERCALL))"
		echo "known user MMIO $((n * (MMIO + 1) + sleeps))"
		# threads can find another's fault in their way
		if [ "$n" = 1 ]; then
			echo "known exit DABT_LOW $((MMIO + FAULT + 1 + sleeps))"
			echo "known exit IABT_LOW 1"
		fi
	}
	seen() { :; }
	;;
*)
	# CR4.MCE is the host's: each write that turns it over is an exit
	does="--pio $PIO --mmio $MMIO --cpuid $CPUID --msr $MSR --access msr:0x2ff:w=$WRMSR"
	[ "$MACHINE" = pvm ] || does="$does --hypercall $HYPERCALL --access cr:4:w=$CR,toggle=0x40"
	more="--hlt $HLT --access io:0x71:w=$SLEEPS,delay-us=20000"
	fields=isa,exit_reason
	known() {
		n=${1:-1}
		# more vCPUs than CPUs do not do more
		hlt=$((n == 1 ? HLT + 1 : n))
		pio=$((n == 1 ? PIO + SLEEPS : n * PIO))
		set --
		if [ "$MACHINE" = intel ]; then
			set -- IO_INSTRUCTION CPUID VMCALL CR_ACCESS HLT
			# AMD's emulator, which such exits without decode assists go through, does not tell
			echo "known trace kvm_cr $((n * CR))"
			echo "known exit MSR_READ $((n * MSR))"
			echo "known exit MSR_WRITE $((n * WRMSR))"
			# the page of the programme, and the first access of no memory
			[ "$n" != 1 ] || echo "known exit EPT_VIOLATION 2"
			[ "$n" != 1 ] || echo "known exit EPT_MISCONFIG $((MMIO - 1))"
		elif [ "$MACHINE" = amd ]; then
			set -- io cpuid hypercall write_cr4 hlt
			echo "known exit msr $((n * (MSR + WRMSR)))"
			[ "$n" != 1 ] || echo "known exit npf $((MMIO + 1))"
		fi
		if [ $# != 0 ]; then
			echo "known exit $1 $pio"
			echo "known exit $2 $((n * CPUID))"
			echo "known exit $3 $((n * HYPERCALL))"
			echo "known exit $4 $((n * CR))"
			echo "known exit $5 $hlt"
			echo "known trace kvm_hypercall $((n * HYPERCALL))"
		fi
		echo "known user IO $pio"
		echo "known user MMIO $((n * MMIO))"
		echo "known user HLT $hlt"
		echo "known trace kvm_pio $pio"
		echo "known trace kvm_msr $((n * (MSR + WRMSR)))"
		echo "known trace kvm_userspace_exit $((pio + n * MMIO + hlt))"
	}
	seen() { :; }
	if [ "$MACHINE" = intel ]; then
		more="$more --spin 5000011 ${PAUSE:+--pause $PAUSE}"
		seen() {
			echo "seen exit EXTERNAL_INTERRUPT"
			[ -z "${PAUSE:-}" ] || echo "seen exit PAUSE_INSTRUCTION"
		}
	fi
	;;
esac
counted=
for event in kvm_entry kvm_exit kvm_userspace_exit kvm_mmio kvm_fast_mmio kvm_pio kvm_cpuid kvm_msr kvm_cr kvm_apic \
	kvm_hypercall kvm_hv_hypercall kvm_page_fault kvm_fpu kvm_guest_fault kvm_hvc_arm64 kvm_handle_sys_reg \
	kvm_sys_access kvm_halt_poll_ns kvm_nested_vmexit kvm_nested_vmexit_inject; do
	[ -z "$tracing" ] || [ ! -d "$events/$event" ] || counted="$counted $event"
done
# the key's name has changed in Linux 5.13; empty: no such triggers
cpu=
for key in ${tracing:+common_cpu cpu}; do
	! echo "hist:keys=$key" 2>/dev/null >$events/kvm_exit/trigger || cpu=$key
done
[ -z "$tracing" ] || [ -n "$cpu" ] || echo 16384 >$tracing/buffer_size_kb
for file in "${HERE:-}"/reasons/*; do
	sed -nE 's/^REASON\((0x[0-9a-f]+|[0-9]+),[[:space:]]*"([^"]*)".*/\1 \2/p' "$file" |
		while read -r code name; do
			echo "name ${file##*/} $((code)) $name"
		done
done >$work/names

# count_event EVENT KEYS...: have the kernel count that event, from 0, by those keys. Opening a trigger to
# write it anew drops all that are set. A kernel without such triggers writes events to its trace.
count_event() {
	folder=$events/$1
	shift
	if [ -z "$cpu" ]; then
		echo 1 >"$folder/enable"
		return
	fi
	: >"$folder/trigger"
	for keys; do
		echo "hist:keys=$keys" >>"$folder/trigger"
	done
}

# count [OPTION...]: begin to count. Links of perf's are closed by a process that outlives kvmbpf, and until
# then perf attaches nothing.
count() {
	while [ -z "${HERE:-}" ] && pidof kvmbpf >/dev/null; do
		sleep 0.2
	done
	: >$work/err
	(
		# shellcheck disable=SC3045 # busybox has it
		ulimit -l unlimited 2>/dev/null || true # before Linux 5.11 maps count
		exec setpriv.util-linux --bounding-set=-all,+bpf,+perfmon --inh-caps=-all \
			kvmbpf dump -v -a -m 'kvm.*' "$@"
	) >$work/out 2>$work/err &
	dump=$!
	until grep -q 'trace: attached' $work/err; do
		kill -0 $dump || { cat $work/err; exit 1; }
		sleep 0.2
	done
	capabilities=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/$dump/status)
	[ "$capabilities" = 000000c000000000 ] || { echo "kvmbpf can have capabilities $capabilities"; exit 1; }
	[ -z "$tracing" ] || : >$tracing/trace
	for event in $counted; do
		case $event in
		kvm_exit) count_event "$event" "$cpu" "$fields" ;;
		kvm_userspace_exit) count_event "$event" "$cpu" reason,errno ;;
		kvm_mmio) count_event "$event" "$cpu" type ;;
		*) count_event "$event" "$cpu" ;;
		esac
	done
}

# The trace's lines of a CPU, counted.
traced() {
	grep -q '^overrun: 0$' "$tracing/per_cpu/$1/stats" || echo "the trace of $1 has overrun" >&2
	awk -v cpu="$1" '
		/^#/ { next }
		{
			for (i = 1; $i !~ /^kvm_.*:$/; i++)
				if (i > NF)
					next
			event = $i
			sub(/:/, "", event)
			n[event]++
			if (event == "kvm_exit") {
				sub(/.* reason /, "")
				exits[$1]++
			} else if (event == "kvm_userspace_exit") {
				code = $NF
				gsub(/[()]/, "", code)
				users[code " " ($(NF - 1) ~ /^KVM_EXIT/ ? 0 : $(NF - 1) == "restart" ? -4 : -1)]++
			} else if (event == "kvm_mmio") {
				unanswered += / unsatisfied-read /
			}
		}
		END {
			for (i in n)
				print "cpu", i, cpu, n[i]
			for (i in exits)
				print "exit", i, exits[i]
			for (i in users)
				print "user", i, users[i]
			print "unanswered", unanswered + 0
		}' "$tracing/per_cpu/$1/trace"
}

# counted_by_kernel: all of those, as lines for machine.awk.
counted_by_kernel() {
	for event in $counted; do
		echo "event $event"
		[ -z "$cpu" ] || tr -d '{},' <"$events/$event/hist" | awk -v event="$event" '
			/^# trigger info:/ { by = /:keys=(common_)?cpu:/ ? "cpu" : "reason" }
			$1 == "Dropped:" && $2 { print "dropped", event, by, $2 }
			$1 ~ /^(common_)?cpu:$/ { print "cpu", event, "cpu" $2, $4 }
			$1 == "isa:" { print "exit", $4, $6 }
			$1 == "ret:" { print "exit", $2 == 2 ? 256 + $4 : $2, $6 }
			$1 == "type:" && $2 == 0 { print "unanswered", $4 }
			$1 == "reason:" { print "user", $2, $4, $6 }'
	done
	[ -n "$tracing" ] && [ -z "$cpu" ] || return 0
	for folder in "$tracing"/per_cpu/cpu*; do
		traced "${folder##*/}"
	done
}

# finish: end counting. What kvmbpf has counted is in $work/out. It has said why perf does not attach what can be
# preempted, and nothing of that where perf does. An emulated machine can be too slow for perf's 3 s.
finish() {
	kill -INT $dump
	wait $dump
	said=$(grep -F 'counted by raw tracepoints' $work/err) || true
	case ${raw_cause:+cause}:$said in
	: | :*"perf has taken 3 s"* | cause:*"$raw_cause"*) ;;
	*)
		echo "kvmbpf said \"$said\", should be because \"$raw_cause\""
		exit 1
		;;
	esac
}

# old_begin, old_end: have the programs of before the engine count, too, if they are here.
mkfifo $work/old-hold
old_begin() {
	[ -e /usr/bin/old_exits ] || return 0
	old_exits /old.o <$work/old-hold >$work/old &
	old=$!
	exec 8>$work/old-hold
	until grep -q '^attached' $work/old; do
		kill -0 $old
		sleep 0.2
	done
}
old_end() {
	[ -e /usr/bin/old_exits ] || return 0
	echo >&8
	wait "$old"
}

# old_compare: each reason's exits and how many of them have a time, the old programs' and ours.
old_compare() {
	[ -e /usr/bin/old_exits ] || return 0
	cat $work/old $work/out | awk '
	$1 == "old" { counted[$2] = $3; timed[$2] = $4; n++ }
	$1 == "kvm.exit.count" { ours[$2] = $3 }
	$1 == "kvm.exit.latency" { split($2, part, "::"); times[part[1]] += $3 }
	function differs(what, is, was) {
		if (is + 0 != was + 0)
			why = why ", " what " " is + 0 ", were " was + 0
	}
	END {
		for (name in counted)
			ours[name] += 0
		for (name in ours) {
			differs(name, ours[name], counted[name])
			differs(name " timed", times[name], timed[name])
		}
		if (n < 5)
			why = why ", only " n + 0 " reasons"
		print "old", why == "" ? "exact" : "not " substr(why, 3)
	}'
}

# compare [NAME]: judge; what else is known comes on standard input.
compare() {
	sed -nE 's/^kvm\.agent\.family\.status +/status /p' $work/out >$work/status
	{
		cat - $work/names $work/status
		counted_by_kernel
		grep '^kvm\.' $work/out
	} >$work/all
	never=
	[ "$MACHINE" != pvm ] || never=yes
	awk -v as="${1:-}" -v moves="${MOVES:-}" -v alone="$alone" -v never="$never" -v unseen="${UNSEEN:-}" \
		-f "${HERE:-}/machine.awk" $work/all
}

# held OPTION...: a guest that holds its VMs; once it is through its process is $guest.
mkfifo $work/hold
exec 9<>$work/hold
held() {
	: >$work/done
	guest "$@" --hold <&9 >$work/done &
	guest=$!
	until grep -q '^done' $work/done; do
		kill -0 $guest
		sleep 0.2
	done
}

# The statistics of the VMs held, or the host's where there is no KVM_GET_STATS_FD.
statistics() {
	if [ -s $work/stats ]; then
		awk -v first="guest-$guest" '
			$1 == "desc" { kind[$2, $3] = $4; size[$2, $3] = $8; next }
			{ vm = first ($2 ? "." $2 + 1 : "") }
			$1 == "vm" && size[$1, $3] == 1 { print "stat kvm.vm.stat." $3, vm, $4 }
			$1 == "vcpu" && size[$1, $4] == 1 { print "stat kvm.vcpu.stat." $4, vm "::vcpu" $3, $5 }' \
			$work/stats
		return
	fi
	for file in /sys/kernel/debug/kvm/*; do
		[ -f "$file" ] || continue
		metric=$(grep -oE "^kvm\.(stat\.)?${file##*/} " $work/out || echo "kvm.${file##*/}")
		echo "stat $metric - $(cat "$file")"
	done
}

# --- a VM for each CPU ---
cpus=$(nproc)
statistics="--stats $work/stats"
# shellcheck disable=SC2086 # a list of options
if ! guest $statistics >/dev/null 2>&1; then
	statistics=
	mount -t debugfs debugfs /sys/kernel/debug
fi
rm -f $work/stats
count
old_begin
# shellcheck disable=SC2086 # lists of options
held $does $more $statistics --vms "$cpus" --cpus "$(seq -s , 0 $((cpus - 1)))"
old_end
finish
{
	known
	seen
	awk -v first="guest-$guest" -F'[ =]' '
		# of registers that KVM emulates it does not always tell
		$1 == "access" && $4 !~ /^cr:/ { print "did", first ($2 ? "." $2 + 1 : ""), $4, $5 }
		$1 == "access" { vm = first ($2 ? "." $2 + 1 : ""); slept[vm] += $NF }
		END { for (vm in slept) printf "vm %s\nslept %s %d\n", vm, vm, slept[vm] }' $work/done
	statistics
} | compare
old_compare
[ -z "${PAUSE:-}" ] || awk '
	$1 == "kvm.exit.count" && $2 == "PAUSE_INSTRUCTION" { ours = $3 }
	# by code, or by name where the kernel has written lines
	$1 == "exit" && ($2 == 40 || $2 == "PAUSE_INSTRUCTION") { kernels += $3 }
	END { print "pause", ours && ours == kernels ? "exact" : "not " ours + 0 ", not " kernels + 0 }' $work/all
kill $guest
wait $guest || true
[ -z "${OLD_ALONE:-}" ] || exit 0

# --- more vCPUs than CPUs ---
# overcommit NAME [OPTION...]: count so, with ROUNDS of it while all is exact: what is wrong there is a matter
# of chance.
overcommit() {
	name=$1
	shift
	round=0
	missed=
	verdict="$name exact"
	while [ "${verdict#* exact}" != "$verdict" ] && [ $round -lt "${ROUNDS:-1}" ]; do
		round=$((round + 1))
		count "$@"
		# shellcheck disable=SC2086 # a list of options
		held $does --overcommit
		finish
		verdict=$(known $((2 * cpus + 1)) | compare "$name")
		[ "$verdict" = "$name exact" ] || missed=$verdict
		kill $guest
		wait $guest || true
	done
	case $verdict in
	*exact*) echo "${missed:-$verdict}" ;;
	*) echo "$verdict, in round $round of ${ROUNDS:-1}" ;;
	esac
}
overcommit overcommit
# where perf is refused, nothing but raw tracepoints can be attached
if [ -n "${RAW:-}" ]; then
	raw_cause="kernel.perf_event_paranoid is 3, which wants CAP_SYS_ADMIN"
	echo 3 >/proc/sys/kernel/perf_event_paranoid
	overcommit raw
	echo 2 >/proc/sys/kernel/perf_event_paranoid
	raw_cause=
fi

# holds PROGRAM ARGUMENT...: run it on one CPU until it is done; it holds its VM then, and its process is
# $guest.
holds() {
	: >$work/done
	taskset 1 "$@" hold <&9 >$work/done &
	guest=$!
	until grep -q '^done' $work/done; do
		kill -0 $guest
		sleep 0.2
	done
}

# --- programs that the kernel does not compile: it refuses typed loads then, whatever its types say ---
if [ -n "${NOJIT:-}" ]; then
	echo 0 >/proc/sys/net/core/bpf_jit_enable
	count
	refused=$(grep -c 'JIT is required for calling kernel function' $work/err || true)
	# shellcheck disable=SC2086 # a list of options
	held $does $more
	finish
	verdict=$({ known && seen && echo "vm guest-$guest"; } | compare nojit)
	# the iterator of VMs, exits and the ledger each tried them
	if [ "$refused" -lt 3 ]; then
		verdict="nojit not refused: $refused"
	elif ! grep -Eqx 'status exit +attached *' $work/status || ! grep -q '^kvm\.nvms ' $work/out; then
		verdict="nojit not read: $(grep '^status exit' $work/status)"
	fi
	echo "$verdict"
	echo 1 >/proc/sys/net/core/bpf_jit_enable
	kill $guest
	wait $guest || true
fi

# --- a guest whose pages are logged, by the processor ---
if [ -n "${DIRTY:-}" ]; then
	count
	holds dirty "$DIRTY" 5
	finish
	{
		echo "vm dirty-$guest"
		echo "known exit EPT_VIOLATION $((DIRTY + 1))"
		echo "known exit HLT 6"
		echo "known exit PML_FULL $((5 * ((DIRTY - 1) / 512)))"
		echo "less PML_FULL EXTERNAL_INTERRUPT" # it empties the log
	} | compare dirty
	echo >&9
	wait $guest
fi

# --- a guest's guest ---
if [ -e /usr/bin/nested ]; then
	count
	holds nested "$CPUID" "$MSR" "$HYPERCALL"
	finish
	{
		echo "vm nested-$guest"
		echo "known trace kvm_nested_vmexit_inject $((CPUID + HYPERCALL + 1))"
		echo "known exit vmrun $((CPUID + HYPERCALL + 1))"
		echo "known exit cpuid $CPUID"
		echo "known exit io $((MSR + HYPERCALL))"
		echo "known user IO $MSR"
		echo "known user HLT 1"
	} | compare nested
	echo >&9
	wait $guest
fi
