# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash disable=SC2154,SC2004 # tests/bench/run sets what is not set here
#
# What the agents cost: tests/bench/run reads this.

# --- a private pmcd for an agent ---

# pmcd_up KIND EVENT...: start a pmcd with the agent KIND, ours or stock, which counts these
# events, or constant, which answers as $work/shape says; sets PMCD_HOST.
pmcd_up() {
	local kind=$1 dir=$work/pmcd-$1 agent asked=kvm.trace.count
	shift
	rm -rf "$dir"
	pmcd_env "$dir"
	mkdir -p "$dir/pmdas/kvm"
	# a lockdown file that does not exist: in lockdown the stock agent stops
	{
		printf '[paths]\ntracefs=%s\nlockdown=/nonexistent\n\n[trace]\n' "$TRACEFS"
		printf '%s\n' "$@"
	} >"$dir/pmdas/kvm/kvm.conf"
	echo '#define KVM 95' >"$dir/root"
	if [ "$kind" = stock ]; then
		# the stock agent's folder of kvm.conf and help
		export PCP_PMDAS_DIR=$dir/pmdas
		ln -s "$STOCK"/help* "$dir/pmdas/kvm/"
		cat "$STOCK/root_kvm" >>"$dir/root"
		agent="$STOCK/pmdakvm -d 95 -l $dir/kvm.log"
	elif [ "$kind" = constant ]; then
		{
			printf 'root {\n\tconstant\n}\nconstant {\n'
			awk '{ printf "\tm%d 95:%d:%d\n", NR, (NR - 1) / 1000, (NR - 1) % 1000 }' "$work/shape"
			echo '}'
		} >>"$dir/root"
		agent="$bin/constant -d 95 -l $dir/constant.log $work/shape" asked=constant.m1
	else
		printf 'root {\n\tkvm\n}\n' >>"$dir/root"
		cat "$TOP/pmns" >>"$dir/root"
		agent="$BUILD/pmdakvm -d 95 -l $dir/kvm.log -c $dir/pmdas/kvm/kvm.conf"
	fi
	echo "kvm 95 pipe binary $agent" >"$dir/pmcd.conf"
	pmcd_run "pmcd-$kind" "$dir"
	unset PCP_PMDAS_DIR
}

# Does not fetch: the stock agent attaches in its first fetch, which fetch_all times.
pmcd_answers() {
	grep -q Semantics <<<"$(pminfo -h "$PMCD_HOST" -d "$asked" 2>/dev/null)"
}
pmcd_answers_or_ended() {
	pmcd_answers || ! kill -0 "$1" 2>/dev/null
}

# pmcd_run NAME DIR: start a pmcd; tries other ports if one is in use.
pmcd_run() {
	local name=$1 dir=$2
	for _ in 1 2 3 4 5; do
		rm -f "$dir/pmcd.socket"
		"$PCP_BINADM_DIR/pmcd" -f -A -i 127.0.0.1 -p $((20000 + RANDOM % 30000)) -U root \
			-c "$dir/pmcd.conf" -n "$dir/root" -s "$dir/pmcd.socket" \
			-l "$dir/pmcd.log" </dev/null >/dev/null 2>&1 &
		pids[$name]=$!
		wait_for 10 pmcd_answers_or_ended "${pids[$name]}" || true
		! pmcd_answers || return 0
		end "$name" TERM
	done
	cat "$dir"/*.log >&2
	fail "a private pmcd did not come up"
}

# --- fetches ---

# memory PID: the resident memory of the process in KiB
memory() {
	awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

# agent_pid KIND: the process of the agent
agent_pid() {
	pgrep -P "${pids[pmcd-$1]}" -x 'pmdakvm|constant'
}

# fetch_batch KIND EVENTS EVENT...: append to $work/fetch: KIND, EVENTS, which names them, the output
# of bin/fetch, the agent's resident memory in KiB, the number of its open files.
fetch_batch() {
	local kind=$1 events=$2 pid numbers
	shift 2
	pmcd_up "$kind" "$@"
	pid=$(agent_pid "$kind")
	numbers=$("$bin/fetch" "$PMCD_HOST" "$pid" "$FETCHES" kvm.trace)
	printf '%s %s %s %s %s\n' "$kind" "$events" "$numbers" "$(memory "$pid")" \
		"$(find "/proc/$pid/fd" -type l | wc -l)" | tr ' ' '\t' >>"$work/fetch"
	end "pmcd-$kind" TERM
}

# From the start of a program to its first values, and the time to attach all events: lines of ns.
starts() {
	local start
	for _ in $(seq "$STARTS"); do
		start=$(date +%s%N)
		# without a VM nothing else has a value
		"$kvmbpf" dump -d 0 --all 2>/dev/null | {
			read -r -n 1 _ && printf 'start\t%s\n' "$(($(date +%s%N) - start))" >>"$work/start"
			cat >/dev/null
		} || return 0
		"$kvmbpf" dump -d 0 --all 2>/dev/null | awk '
			$1 == "kvm.agent.family.attach_time" && $2 == "trace" { ns = $3 }
			$1 == "kvm.agent.event.attached" { n += $3 }
			END { if (ns) printf "attach\t%s\t%s\n", ns, n }' >>"$work/start"
	done
}

# Five events and all of the kvm group, from both agents, alternately; then a whole agent.
agents_all() {
	local events few no_stock
	no_stock=$(stock_why)
	[ -z "$no_stock" ] || printf 'stock agent\t%s\n' "$no_stock" >>"$work/absent"
	mapfile -t events < <(find "$TRACEFS/events/kvm" -mindepth 1 -type d -printf '%f\n' | sort)
	few=("${events[@]:0:5}")
	for _ in $(seq "$BATCHES"); do
		fetch_batch ours few "${few[@]}"
		[ -n "$no_stock" ] || fetch_batch stock few "${few[@]}"
		fetch_batch ours all "${events[@]}"
		[ -n "$no_stock" ] || fetch_batch stock all "${events[@]}"
	done
	starts
}

# vms_fetch NAME OPTION METRIC...: append to $work/vms: NAME, the agent, the output of bin/fetch, of our
# agent and of the one that answers constants, in turn.
vms_fetch() {
	local name=$1 option=$2 kind metrics
	shift 2
	"$bin/fetch" -s "$(host_of ours)" 0 1 "$@" >"$work/shape" || fail "the VMs' metrics cannot be fetched"
	pmcd_up constant
	for _ in $(seq "$BATCHES"); do
		for kind in ours constant; do
			metrics=("$@")
			[ $kind = ours ] || metrics=(constant)
			# shellcheck disable=SC2086 # none, or one
			printf '%s %s %s\n' "$name" $kind "$("$bin/fetch" $option "$(host_of $kind)" \
				"$(agent_pid $kind)" 9 "${metrics[@]}")" | tr ' ' '\t' >>"$work/vms"
		done
	done
	end pmcd-constant TERM
}

# host_of KIND: where a pmcd answers
host_of() {
	echo "unix://$work/pmcd-$1/pmcd.socket"
}

# VMS VMs of one vCPU each, which never run, and the memory of an agent with all families: without VMs, with
# them, after 100 more one after another, and after 10,000.
vms_all() {
	local pid sizes
	pmcd_up ours "$event"
	pid=$(agent_pid ours)
	pminfo -h "$PMCD_HOST" -f kvm >/dev/null
	pminfo -h "$PMCD_HOST" -f kvm.agent.map.bytes >"$work/bytes"
	sizes=$(memory "$pid")
	mkfifo "$work/vms-in"
	"$BUILD/tests/idle_vms" --count "$VMS" <"$work/vms-in" >"$work/vms-out" &
	pids[vms]=$!
	exec 4>"$work/vms-in"
	wait_for 60 grep -q ready "$work/vms-out" || fail "$VMS VMs could not be made"
	vms_fetch statistics "" kvm.vm.stat kvm.vcpu.stat
	vms_fetch all "" kvm
	vms_fetch instances -i kvm
	sizes+=" $(memory "$pid")"
	exec 4>&-
	wait "${pids[vms]}"
	unset "pids[vms]"
	for count in 100 10000; do
		"$BUILD/tests/idle_vms" --count $count --one-by-one >/dev/null
		"$bin/fetch" "$(host_of ours)" "$pid" 1 kvm.nvms >/dev/null
		sizes+=" $(memory "$pid")"
	done
	printf 'memory %s\n' "$sizes" | tr ' ' '\t' >>"$work/vms"
	awk '/value/ { gsub(/[]"[]/, ""); print "bytes\t" $4 "\t" $NF }' "$work/bytes" >>"$work/vms"
	end pmcd-ours TERM
}
