# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# follow.sh FILE: run the commands of FILE, lines of README or docs/fleet.md, in their order, on a machine of
# tests/live/fleet.bash. TOP, BUILD and TMPDIR are the tests'. What a reader would do again until it has the
# answer is done again, for a minute. Only this is not as the page has it: make takes what was built
# already, and intervals are short.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
unset PCP_PYTHON_PROG

make() {
	case $1 in
	install) command make --no-print-directory O="$BUILD" install ;;
	*) command make --no-print-directory "$@" ;;
	esac
}

fail() {
	echo "FAILED on $(hostname): $*"
	cat /tmp/said
	systemctl --failed --no-pager || true
	exit 1
}

# quick UNIT OPTION...: its command with this at the end, and no wait before it is started anew
quick() {
	mkdir -p "/etc/systemd/system/$1.service.d"
	printf '[Service]\nRestartSec=1\nExecStart=\nExecStart=%s\n' "$(sed -n 's/^ExecStart=//p' "/usr/local/lib/systemd/system/$1.service") ${*:2}" \
		>"/etc/systemd/system/$1.service.d/quick.conf"
	systemctl daemon-reload
}

# before COMMAND: what is not as the page has it
before() {
	case $1 in
	*enable*kvmbpf-textfile*) quick kvmbpf-textfile -d 0.5 -m kvm.vm.userspace_exit.count ;;
	"systemctl restart prometheus")
		sed -i 's/n_interval: 30s/n_interval: 1s/; s/e_interval: 30s/e_interval: 3s/; s/: 10s/: 3s/; /kvm\.agent/s/names: \[./&kvm.vm.userspace_exit.count,/' /etc/prometheus/prometheus.yml
		;;
	*"start"*pmlogger_check*) sed -i '/^delta/d; s/^probe.*/&\ndelta\t2 seconds/' /etc/pcp/pmlogconf/pmdakvm/* ;;
	esac
}

# answered COMMAND: is what it printed, /tmp/said, the answer
answered() {
	case $1 in
	curl*44322*) grep -q '^kvm_nvms{.*} [0-9]' /tmp/said ;;
	curl*9100*) grep -q '^kvm_nvms [0-9]' /tmp/said ;;
	curl*9090*) grep -q "\"storageRetention\":\"$(sed -n 's/.*retention.time=\([0-9a-z]*\).*/\1/p' /etc/default/prometheus)\"" /tmp/said ;;
	*"up{"*) [ -z "$(cat /tmp/said)" ] && grep -q '=> 3 ' <<<"$(promtool query instant http://localhost:9090 'sum(up{job=~"kvm.*"})')" ;;
	*topk*) grep -q 'instance="kv2".*vm="hog".*=> 0*[.1-9]' /tmp/said ;;
	"pmseries --load"*) grep -q 'processed [1-9]' /tmp/said ;;
	pmseries*) grep -q '\] [0-9][0-9]* [0-9a-f]' /tmp/said ;;
	esac
}

# asks COMMAND: does it ask what may take time to be there
asks() {
	case $1 in
	curl* | "promtool query"* | pmseries*) ;;
	*) return 1 ;;
	esac
}

follow() {
	local command=$1
	before "$command"
	echo "# $command"
	for _ in $(seq 200); do
		if eval "$command" >/tmp/said 2>&1; then
			! answered "$command" || break
		else
			asks "$command" || fail "$command"
		fi
		sleep 0.3
	done
	answered "$command" || fail "$command: not the answer"
	cat /tmp/said
}

cd "$TOP"
while IFS= read -r command <&3; do
	follow "$command"
done 3<"$1"
echo "all commands were run"
