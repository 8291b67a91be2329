# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Compare what kvmbpf dump counted with what the kernel counted, and with what guests did. Input is
# kvmbpf's text, and lines that machine.sh makes:
#
#	status FAMILY TEXT...			of the agent's families
#	name exit|user CODE NAME		what codes are called
#	event EVENT				the kernel counts it
#	cpu EVENT CPU COUNT			the kernel's count
#	exit CODE COUNT, user CODE ERRNO COUNT	its counts by reason
#	dropped EVENT cpu|reason COUNT		events that its histogram has dropped: two CPUs had a new key at once
#	known trace|exit|user NAMES COUNT	what each VM did; NAMES: one or more, with commas, together
#	unanswered COUNT			kvm_mmio of reads that have no value yet
#	less NAME OTHER				each exit OTHER can have made one NAME less
#	seen exit|user NAME			there must be some
#	vm INSTANCE				a VM that did; none: the host counts alone
#	slept INSTANCE NS			so long its VMM has slept meanwhile
#	did INSTANCE KEY COUNT			its accesses of one cause
#	stat METRIC INSTANCE VALUE		what KVM_GET_STATS_FD or debugfs says; "-": no instance
#
# Prints a line for each family, "FAMILY exact" or "FAMILY not REASON"; with -v as=NAME one line of that
# name for trace, exit and userspace_exit together; with -v alone=yes the kernel has counted nothing, and what
# is known is all; with -v unseen="STATE..." these states of the ledger have no value. "FAMILY exact with what
# was missed": counts and kvm.agent.event.missed together are the kernel's. With -v never=yes kvm_exit never fires.

function say(family) {
	print family, why == "" ? "exact" (note == "" ? "" : " " note) : "not " why
}

# One thing that is not as it should be; the first three are said.
function differs(what, is, should) {
	if (is + 0 == should + 0)
		return
	if (++wrong <= 3)
		why = why (why == "" ? "" : ", ") what " " is + 0 ", not " should + 0
	else if (wrong == 4)
		why = why " ..."
}

function begin() {
	why = note = ""
	wrong = 0
}

function sum_of(metric,	cpu, n) {
	for (cpu in cpus)
		n += value[metric, cpu]
	return n + 0
}

# One event: what we counted and what the kernel says that it did not let us are together its own count. By
# CPU, too; but where a tracepoint can be preempted (-v moves=1) a thread can move to another CPU after we
# have counted its event and before the kernel does. What was missed is known by event only.
function compare_event(event,	cpu, ours, total, missed) {
	missed = value["kvm.agent.event.missed", event] + 0
	for (cpu in cpus) {
		ours += value["kvm.trace." event, cpu]
		total += cpu_count[event, cpu]
		if (!missed && !dropped[event, "cpu"] && !(moves && as != ""))
			differs(event " " cpu, value["kvm.trace." event, cpu], cpu_count[event, cpu])
	}
	total += dropped[event, "cpu"]
	differs(event (missed ? " with " missed " missed" : ""), ours + missed, total)
	if (missed)
		note = "with what was missed"
	return total
}

# Events, by CPU.
function compare_trace(	event, i, any, missed) {
	for (event in events)
		any += compare_event(event)
	for (i = 1; i <= nknown; i++) {
		if (known_kind[i] != "trace")
			continue
		missed = value["kvm.agent.event.missed", known_names[i]] + 0
		any += known_count[i]
		differs(known_names[i] (missed ? " with " missed " missed" : ""),
			sum_of("kvm.trace." known_names[i]) + missed, known_count[i] * (vms ? vms : 1))
		if (missed)
			note = "with what was missed"
	}
	if (!any)
		why = "no event fired"
}

function event_of(kind) {
	return kind == "exit" ? "kvm_exit" : "kvm_userspace_exit"
}

# One reason, against the kernel's count: its histogram can have dropped some of any.
function compare_reason(name, is, counted, lost) {
	if (is < counted || is > counted + lost)
		differs(name, is, counted)
}

# How many of the family's events were missed, and none of its reasons is too large.
function missed_of(kind, host,	key, part, missed) {
	missed = value["kvm.agent.event.missed", event_of(kind)] + 0
	if (!missed)
		return 0
	for (key in reason_count) {
		split(key, part, SUBSEP)
		if (!alone && part[1] == kind &&
		    value[host ".count", part[2]] + 0 > reason_count[key] + dropped[event_of(kind), "reason"])
			differs(part[2], value[host ".count", part[2]], reason_count[key])
	}
	note = "with what was missed"
	return missed
}

# Reasons of a family's metrics, against the kernel's count of each, and the VMs' shares. Of what was missed
# the reason is not known.
function compare_reasons(kind, host, vm_metric,	name, i, part, n, sum, key, time, missed, total, lost) {
	missed = missed_of(kind, host)
	lost = dropped[event_of(kind), "reason"] + 0
	total = lost
	for (key in value) {
		split(key, part, SUBSEP)
		if (part[1] == host ".count") {
			name = part[2]
			if (!alone && (!missed || !((kind, name) in reason_count)))
				compare_reason(name, value[key] + 0, reason_count[kind, name] + 0, lost)
			sum += value[key]
			# the last exit of a vCPU has no time
			if (as == "" && value[key] && !value[host ".time", name])
				time = time (time == "" ? "" : ", ") name
		}
		if (part[1] == vm_metric)
			n += value[key]
	}
	for (key in reason_count) {
		split(key, part, SUBSEP)
		if (part[1] != kind)
			continue
		total += reason_count[key]
		if (!alone && !missed && !((host ".count", part[2]) in value))
			differs(part[2], 0, reason_count[key])
	}
	if (!alone)
		differs("all reasons" (missed ? " with " missed " missed" : ""), sum + missed, total)
	if (!sum)
		differs("any", 0, 1)
	if (vms && knows_vms)
		differs("sum of the VMs", n, sum)
	if (time != "")
		why = why (why == "" ? "" : ", ") "a time of 0: " time
}

# How many exits of these names, of the host or of a VM.
function reasons_sum(metric, vm, names,	i, n, part, sum) {
	n = split(names, part, ",")
	for (i = 1; i <= n; i++)
		sum += value[metric, (vm == "" ? "" : vm "::") part[i]]
	return sum + 0
}

# A count that is known: of what was missed the reason is not.
function compare_count(what, is, should, missed, less) {
	if (is > should || is < should - missed - less)
		differs(what, is, should)
}

# What the guests did: by VM, and all of them together.
function compare_known(kind, host, vm_metric, missed,	i, vm, is, other, sum, should) {
	for (i = 1; i <= nknown; i++) {
		if (known_kind[i] != kind)
			continue
		other = known_names[i] in less ? value[host ".count", less[known_names[i]]] : 0
		is = reasons_sum(host ".count", "", known_names[i])
		sum += is
		should += known_count[i] * (vms ? vms : 1)
		compare_count(known_names[i], is, known_count[i] * (vms ? vms : 1), missed, other)
		for (vm in vm_names) {
			if (knows_vms)
				compare_count(vm " " known_names[i],
					      reasons_sum(vm_metric, vm, known_names[i]),
					      known_count[i], missed, other)
		}
	}
	# under overcommit all exits to the VMM are known
	if (alone && kind == "user" && as != "")
		differs("all known", sum + missed, should)
	for (i in seen) {
		if (seen[i] == kind && !value[host ".count", i])
			why = why (why == "" ? "" : ", ") "no " i
	}
}

# All of a nested guest's exits are the VM's, and each exit of a known reason has ended: it has a time.
function compare_nested(	i, vm, key, part, words, pairs, exits, reflected) {
	for (key in value) {
		split(key, part, SUBSEP)
		if (part[1] == "kvm.exit.latency" && split(part[2], words, "::") == 2)
			pairs[words[1]] += value[key]
	}
	for (i = 1; i <= nknown; i++) {
		if (known_kind[i] == "exit")
			differs(known_names[i] " timed", pairs[known_names[i]], known_count[i])
	}
	for (vm in vm_names) {
		exits += value["kvm.vm.nested.exits", vm]
		reflected += value["kvm.vm.nested.reflected", vm]
	}
	if (knows_vms) {
		differs("kvm.vm.nested.exits", exits, fired("kvm_nested_vmexit"))
		differs("kvm.vm.nested.reflected", reflected, fired("kvm_nested_vmexit_inject"))
	}
}

# The kernel's count of an event, or else ours.
function fired(event,	cpu, n) {
	if (alone)
		return sum_of("kvm.trace." event)
	for (cpu in cpus)
		n += cpu_count[event, cpu]
	return n + 0
}

function compare_family(family, kind, vm_metric) {
	if (family == "exit" && never && status[family] ~ /^attached, but kvm_exit never fires here/) {
		if (as == "")
			note = "none: kvm_exit never fires"
		differs("kvm_exit", fired("kvm_exit"), 0)
		return
	}
	if (status[family] != "attached") {
		why = status[family] == "" ? "no status" : status[family]
		return
	}
	compare_reasons(kind, "kvm." family, vm_metric)
	compare_known(kind, "kvm." family, vm_metric, missed_of(kind, "kvm." family))
	if (vms && !knows_vms)
		note = "of the host alone: VMs are not known"
}

function compare_stat(	key, name) {
	if (status["stat"] !~ /^attached/) {
		why = status["stat"]
		return
	}
	if (!knows_vms)
		note = "of the host alone, from debugfs"
	for (key in stats) {
		name = key
		sub(SUBSEP, " ", name)
		differs(name, value[key], stats[key])
	}
	if (nstats < 30)
		why = "only " nstats + 0 " statistics to compare with"
}

function all_of(metric,	key, part, n) {
	for (key in value) {
		split(key, part, SUBSEP)
		if (part[1] == metric)
			n += value[key]
	}
	return n + 0
}

# All causes are all exits, but for one of each VM that has not ended.
function compare_all(what, is, should) {
	if (is > should || is < should - vms)
		differs(what, is, should)
}

# Causes: the accesses that guests say they have made; and all exits, and trips to the VMM.
function compare_cause(	key, part, all) {
	if (status["cause"] != "attached") {
		why = status["cause"] == "" ? "no status" : status["cause"]
		return
	}
	for (key in did) {
		split(key, part, SUBSEP)
		all[part[2]] += did[key]
		if (knows_vms)
			differs(part[1] " " part[2], value["kvm.vm.cause.accesses", part[1] "::" part[2]], did[key])
	}
	for (key in all)
		differs(key, value["kvm.cause.accesses", key], all[key])
	if (!(key in all))
		why = "no access is known"
	if (!never)
		compare_all("all causes", all_of("kvm.cause.count"), value["kvm.exit.total", ""])
	compare_accesses()
	compare_all("all causes of trips", all_of("kvm.cause.userspace_count"), all_of("kvm.userspace_exit.count"))
	if (vms && !knows_vms)
		note = "of the host alone: VMs are not known"
}

# Accesses and what the family has missed are the kernel's own count of its events. What was missed can have
# been an event that is no access.
function compare_accesses(	events, i, n, is, should, missed, others, lost) {
	if (alone || status["cause"] != "attached")
		return
	n = split("kvm_pio kvm_mmio kvm_fast_mmio kvm_msr kvm_cpuid kvm_hypercall kvm_hv_hypercall kvm_cr " \
		  "kvm_handle_sys_reg kvm_hvc_arm64", events, " ")
	for (i = 1; i <= n; i++)
		should += fired(events[i]) + dropped[events[i], "cpu"]
	should -= unanswered
	is = all_of("kvm.cause.accesses")
	missed = value["kvm.agent.family.missed", "cause"] + 0
	others = unanswered + fired("kvm_apic")
	lost = dropped["kvm_mmio", "reason"] # they can have had no value
	if (is + missed < should - lost || is + missed > should + (missed < others ? missed : others))
		differs("accesses" (missed ? " with " missed " missed" : ""), is + missed, should)
	if (missed)
		note = "with what was missed"
}

# Where vCPUs' time went: of the host, VMs and vCPUs, the states that have a value are all of the time, and all
# others have none.
function compare_times(	key, part, scope, state, i, cell, sum, all) {
	for (key in value) {
		split(key, part, SUBSEP)
		if (part[1] !~ /^kvm\.(vm\.|vcpu\.)?time\.total$/)
			continue
		scope = part[1]
		sub(/total$/, "", scope)
		sum = 0
		for (i = 1; i in states; i++) {
			state = states[i]
			differs(scope state (part[2] == "" ? "" : " " part[2]) " has a value:", (scope state, part[2]) in value,
				!((" " unseen " ") ~ (" " state " ")))
			if ((scope state, part[2]) in value)
				sum += value[scope state, part[2]]
		}
		differs(scope "* " part[2], sum, value[key])
		all[scope] += value[key]
	}
	if (!all["kvm.time."])
		why = "no time"
	if (vms && knows_vms) {
		differs("the VMs' kvm.vm.time.total", all["kvm.vm.time."], all["kvm.time."])
		differs("the vCPUs' kvm.vcpu.time.total", all["kvm.vcpu.time."], all["kvm.time."])
	}
}

# A VMM that has slept was away as long, but for the time that it waited for a CPU then. Of the host where the
# VMs are not known.
function compare_slept(	vm, away, all, scope) {
	for (vm in slept) {
		all += slept[vm]
		away = value["kvm.vm.time.vmm", vm] + value["kvm.vm.time.ready", vm]
		if (knows_vms && away < slept[vm])
			differs("kvm.vm.time.vmm and ready " vm, away, slept[vm])
	}
	away = value["kvm.time.vmm", ""] + value["kvm.time.ready", ""]
	if (!all || away < all)
		differs("kvm.time.vmm and ready", away, all)
}

function compare_ledger() {
	if (status["ledger"] != "attached") {
		why = status["ledger"] == "" ? "no status" : status["ledger"]
		return
	}
	compare_times()
	if (as == "overcommit" && !((" " unseen " ") ~ / ready /) && !value["kvm.time.ready", ""])
		why = "no vCPU has waited for a CPU"
	if (as == "")
		compare_slept()
	if (as == "" && vms && !knows_vms)
		note = "of the host alone: VMs are not known"
	if (as == "" && unseen != "")
		note = note (note == "" ? "" : "; ") "no value: " unseen
}

$1 == "status" { status[$2] = $0; sub(/^status [^ ]+ +/, "", status[$2]); sub(/ +$/, "", status[$2]); next }
$1 == "name" { names[$2, $3] = $4; next }
$1 == "event" { events[$2] = 1; next }
$1 == "cpu" { cpu_count[$2, $3] += $4; cpus[$3] = 1; next }
$1 == "exit" {
	name = ($1, $2) in names ? names[$1, $2] : $2
	reason_count["exit", name] += $3
	next
}
$1 == "dropped" { dropped[$2, $3] += $4; next }
$1 == "user" {
	name = ($1, $2) in names ? names[$1, $2] : $2
	if ($3 != 0)
		name = $3 ~ /^(-4|4294967292|18446744073709551612)$/ ? "restart" : "error"
	reason_count["user", name] += $4
	next
}
$1 == "known" {
	known_kind[++nknown] = $2
	known_names[nknown] = $3
	known_count[nknown] = $4
	next
}
$1 == "unanswered" { unanswered += $2; next }
$1 == "less" { less[$2] = $3; next }
$1 == "seen" { seen[$3] = $2; next }
$1 == "vm" { vm_names[$2] = 1; vms++; next }
$1 == "did" { did[$2, $3] = $4; next }
$1 == "slept" { slept[$2] = $3; next }
$1 == "stat" { stats[$2, $3 == "-" ? "" : $3] = $4; nstats++; next }
$1 !~ /^kvm\./ { next }
$2 ~ /^[0-9]+$/ && (NF < 3 || $3 !~ /^[0-9]/) { value[$1, ""] = $2; next }
{
	value[$1, $2] = $3
	if ($2 ~ /^cpu[0-9]+$/)
		cpus[$2] = 1
}

END {
	split("guest kvm poll halted vmm ready unknown", states, " ")
	knows_vms = (("kvm.nvms", "") in value)
	begin()
	compare_trace()
	if (as == "")
		say("trace")
	if (as == "")
		begin()
	if (as == "" || status["exit"] == "attached" || never)
		compare_family("exit", "exit", "kvm.vm.exit.count")
	if (as == "") {
		say("exit")
		begin()
	}
	compare_family("userspace_exit", "user", "kvm.vm.userspace_exit.count")
	if (as == "nested")
		compare_nested()
	if (as != "") {
		compare_accesses()
		compare_ledger()
		say(as)
		exit
	}
	say("userspace_exit")
	begin()
	compare_stat()
	say("stat")
	begin()
	compare_cause()
	say("cause")
	begin()
	compare_ledger()
	say("ledger")
}
