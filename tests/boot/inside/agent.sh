# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh
#
# Goes in front of scripts that run inside a booted kernel with pmcd and our agent:
# agent_start starts both (dso: in one process), value METRIC INSTANCE tells a value, expect compares.
set -e
work=/tmp/agent
mkdir -p $work/run $work/log $work/var $work/tmp /var/tmp
export PCP_RUN_DIR=$work/run PCP_LOG_DIR=$work/log PCP_VAR_DIR=$work/var PCP_TMP_DIR=$work/tmp
export PCP_TMPFILE_DIR=$work/tmp PMCD_ROOT_AGENT=0 PMCD_SOCKET=$work/socket
host="-h unix://$work/socket"

# agent_start [dso]
agent_start() {
	export PCP_SYSCONF_DIR=$work/etc
	mkdir -p $work/etc/kvm
	[ -f $work/etc/kvm/kvm.conf ] || printf '[trace]\n*\n' >$work/etc/kvm/kvm.conf
	{
		printf '#define KVM 95\nroot {\n kvm\n pmcd\n}\npmcd {\n version 2:0:7\n}\n'
		cat /agent/pmns
	} >$work/root
	case ${1:-} in
	dso) echo "kvm 95 dso kvm_init /agent/pmda_kvm.so" ;;
	*) echo "kvm 95 pipe binary /usr/bin/pmdakvm -d 95 -l $work/kvm.log" ;;
	esac >$work/pmcd.conf
	# on a busy machine our agent, emulated, can take longer than pmcd's 3 and 5 seconds to answer
	/usr/lib/pcp/bin/pmcd -f -A -q 30 -t 30 -i 127.0.0.1 -p 44321 -U root \
		-c $work/pmcd.conf -n $work/root -s $work/socket -l $work/pmcd.log >/dev/null 2>&1 &
	until_true 60 answers
}

# the name alone is there before the agent has loaded
answers() {
	pminfo $host -f kvm.agent.version | grep -q value
}

# until_true SECONDS COMMAND...: run it once a second until it succeeds
until_true() {
	left=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		if [ $left -le 0 ]; then
			echo "in time not true: $*"
			cat $work/kvm.log $work/pmcd.log
			exit 1
		fi
		sleep 1
	done
}

# value METRIC [INSTANCE]
value() {
	pminfo $host -f "$1" 2>&1 | tee /tmp/pminfo | sed -nE "s/^ +(inst \[[0-9]+ or \"${2:-}\"\] )?value \"?([^\"]*)\"?$/\2/p"
}

# sum METRIC: over its instances
sum() {
	pminfo $host -f "$1" 2>&1 | tee /tmp/pminfo | awk '/value/ { n += $NF } END { print n + 0 }'
}

# dumped METRIC: the sum over its instances in what kvmbpf dump --json wrote to /tmp/dump
dumped() {
	jq "[.metrics[] | select(.name == \"$1\").values[].value] | add" /tmp/dump
}

is() {
	[ "$(value "$1" "$2")" = "$3" ]
}

# expect WHAT IS SHOULD
expect() {
	if [ "$2" != "$3" ]; then
		echo "$1: is \"$2\", should be \"$3\""
		cat $work/kvm.log
		echo "the last answer of pmcd's:"
		head -n 60 /tmp/pminfo
		exit 1
	fi
	echo "$1: $2"
}

modules_load() {
	for module in $(cat /modules/order); do
		insmod "/modules/$module" 2>/dev/null || true # one may be there still
	done
}
