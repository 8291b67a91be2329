# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Functions to run a private pmcd with our agent, for the demo and the tests. Its files, socket and
# PMNS are in a separate directory, independent of the host's pmcd. Sourced.

# plain_path FOLDER LINK: print a path of the folder that pmcd.conf and other files that cannot quote
# can hold: its own, or that of LINK, which is made.
plain_path() {
	case $1 in
	*[!A-Za-z0-9/._+@=-]*)
		ln -sfn -- "$1" "$2"
		printf '%s\n' "$2"
		;;
	*) printf '%s\n' "$1" ;;
	esac
}

# pmcd_env DIR: make every PCP program started from here use DIR.
pmcd_env() {
	local dir # pcp.env sets a variable of this name
	# shellcheck disable=SC1091
	set +u
	. /etc/pcp.env
	set -u
	export PCP_RUN_DIR=$1/run PCP_LOG_DIR=$1/log PCP_VAR_DIR=$1/var PCP_TMP_DIR=$1/tmp
	export PCP_TMPFILE_DIR=$1/tmp PCP_SYSCONF_DIR=$1/etc PMNS_DEFAULT=$1/root HOME=$1/home
	# otherwise the system's pmdaroot starts our agent, without our environment
	export PMCD_ROOT_AGENT=0
	# otherwise pmcd asks the system's resolver for local host names
	export PMCD_SOCKET=$1/pmcd.socket PMCD_HOST=unix://$1/pmcd.socket
	# pmrep and similar tools need the python3 that has PCP's modules
	export PCP_PYTHON_PROG=/usr/bin/python3 PCP_COLOR=0
	mkdir -p "$1"/{run,log,var/config/pmda,tmp,etc/kvm,home}
	chmod 755 "$1"
	# pmcd changes to user pcp and writes there
	chown pcp:pcp "$1" "$1"/{run,log,var,var/config,var/config/pmda,tmp} 2>/dev/null || true
}

# pmcd_files DIR TOP BUILD KIND [AGENT-OPTION...]: write pmcd.conf and the PMNS. KIND is daemon or
# dso.
pmcd_files() {
	local dir=$1 top=$2 build=$3 kind=$4
	shift 4
	{
		printf '#define KVM 95\nroot {\n\tkvm\n}\n'
		cat "$top/pmns"
	} >"$dir/root"
	build=$(plain_path "$build" "$dir/build")
	case $kind in
	daemon) echo "kvm 95 pipe binary $build/pmdakvm -d 95 -l $dir/kvm.log $*" ;;
	dso) echo "kvm 95 dso kvm_init $build/pmda_kvm.so" ;;
	esac >"$dir/pmcd.conf"
}

# Has our agent loaded? The name alone is there before.
agent_answers() {
	grep -q value <<<"$(pminfo -h "$PMCD_HOST" -f kvm.agent.version 2>/dev/null)"
}

# pmcd_start DIR: start pmcd, wait until agent_answers, and set PMCD_PID for pmcd_stop. Call pmcd_env
# and pmcd_files first.
pmcd_start() {
	local dir=$1 try
	for try in 1 2 3 4 5; do
		rm -f "$dir/pmcd.socket"
		"$PCP_BINADM_DIR/pmcd" -f -A -i 127.0.0.1 -p $((20000 + RANDOM % 30000)) -U root \
			-c "$dir/pmcd.conf" -n "$dir/root" -s "$dir/pmcd.socket" -l "$dir/pmcd.log" \
			</dev/null >/dev/null 2>&1 3>&- &
		PMCD_PID=$!
		for _ in $(seq 100); do
			! agent_answers || return 0
			kill -0 "$PMCD_PID" 2>/dev/null || break
			sleep 0.1
		done
		pmcd_stop
		grep -q "in use" "$dir/pmcd.log" || break # another port would not help
	done
	echo "private pmcd did not start (attempt $try); its log:" >&2
	cat "$dir/pmcd.log" >&2
	return 1
}

# pmcd_stop: stop pmcd and its agent.
pmcd_stop() {
	[ -n "${PMCD_PID:-}" ] || return 0
	kill -TERM "$PMCD_PID" 2>/dev/null || true
	wait "$PMCD_PID" 2>/dev/null || true
	PMCD_PID=
}
