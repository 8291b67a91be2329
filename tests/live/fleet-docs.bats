# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Runs the commands of docs/fleet.md, in their order, in a copy of this host that is thrown away. Those of "PCP's
# own series" are not: fleet-series.bats does the like with servers of its own.

load common
load prometheus

setup() {
	need_kvm
	need_prometheus
	grep -q overlay /proc/filesystems || skip "no overlay file system: the copy of this host needs one"
	[ -x /etc/init.d/pmproxy ] || skip "pcp is not installed: make deps installs it"
	EXPORTER=$("$TOP/tests/servers.sh" node-exporter 2>&1) || skip "prometheus-node-exporter cannot be had: $EXPORTER"
	new_work
}

@test "someone who follows docs/fleet.md sees which VM on which host costs most, and why" {
	sed -n "/^## PCP's own series/,/^## Passwords/d; s/^    //p" "$TOP/docs/fleet.md" >"$WORK/commands"
	[ "$(wc -l <"$WORK/commands")" -ge 16 ]
	cat "$TOP/tests/live/install/inside.sh" "$TOP/tests/live/install/fleet.sh" >"$WORK/script"
	TMPDIR=$WORK PIO=$PIO MMIO=$MMIO SERVERS="$TOOLS ${EXPORTER##*$'\n'}" \
		run "$TOP/tests/sandbox.sh" unshare -u sh -c 'hostname monitor && exec bash "$0"' "$WORK/script"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *FAILED* ]]
	[[ $output == *"all commands were run"* ]]
}

@test "the page names every file of fleet/ that is installed, and the dashboard to begin with" {
	for file in "$TOP"/fleet/prometheus/*; do
		grep -qF "prometheus/${file##*/}" "$TOP/docs/fleet.md"
	done
	grep -qF "\"$(sed -n 's/^dashboard kvm-fleet //p' "$TOP/fleet/panels")\"" "$TOP/docs/fleet.md"
	for name in $(grep -oE '\bKvm[A-Z][A-Za-z]+' "$TOP/docs/fleet.md"); do
		grep -q "alert: $name$" "$TOP/fleet/prometheus/kvm-alerts.yml"
	done
}
