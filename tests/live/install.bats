# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# make install, Install, Remove, upgrades, stores and pins, with the real pmcd and pmlogger of
# a host, in a copy of it that is thrown away.

load common

setup() {
	need_kvm
	grep -q overlay /proc/filesystems || skip "no overlay file system: the copy of this host needs one"
	[ -x /etc/init.d/pmcd ] || skip "pcp is not installed: make deps installs it"
	new_work
}

inside() {
	{
		cat "$TOP/tests/live/install/inside.sh"
		cat "$TOP/tests/live/install/$1"
	} >"$WORK/script"
	TMPDIR=$WORK PIO=$PIO PCP_DEB=${PCP_DEB:-} run "$TOP/tests/sandbox.sh" bash "$WORK/script"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *FAILED* ]]
}

@test "stock, ours, upgrade, restart, Remove, stock: kvm.trace is right at each step" {
	mkdir "$WORK/deb"
	chmod 777 "$WORK/deb"
	(cd "$WORK/deb" && apt-get download "pcp=$(dpkg-query -W -f '${Version}' pcp)" >/dev/null 2>&1) || true
	PCP_DEB=$(echo "$WORK"/deb/pcp_*.deb)
	[ -f "$PCP_DEB" ] || PCP_DEB=
	inside life.sh
}

@test "root and pcp may store, others and TCP may not; the daemon keeps two capabilities" {
	inside store.sh
}

@test "pinned maps: counters hold; stale and foreign pins and no BPF file system are said" {
	need bpftool
	inside pins.sh
}

@test "archives of the stock agent, rewritten, go with ours, by the rules of any PCP" {
	inside rewrite.sh
}

@test "Install that fails leaves the stock agent; a name space that is not built is built" {
	inside failed.sh
}

@test "the stock Install over ours: what takes ours away leaves the stock agent and nothing of ours" {
	inside over.sh
}

@test "Install and Remove restart the pmloggers that log kvm metrics, or name them" {
	need pmlc
	inside loggers.sh
}

@test "Remove takes away the maps that the agent pinned, and no file of anybody else" {
	need bpftool
	inside foreign.sh
}

@test "pmcd's start puts right what another version of PCP or of ours has changed" {
	inside upgrade.sh
}

@test "a package of make install DESTDIR= beside pcp: installed, upgraded, removed, purged" {
	inside package.sh
}

@test "README's Install on a bare Debian 13 that has only pcp" {
	status=0
	# shellcheck disable=SC2046 # a list of words
	"$TOP/tests/debian-root.sh" trixie $("$TOP/scripts/deps.sh" list build) >"$WORK/root" 2>"$WORK/err" || status=$?
	cat "$WORK/err"
	[ "$status" != 77 ] || skip "$(tail -n 1 "$WORK/err")"
	[ "$status" = 0 ]
	mkdir "$WORK/checkout"
	(cd "$TOP" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf -) | tar xf - -C "$WORK/checkout"
	sed -n '/^## Install/,/^## /s/^    //p' "$TOP/README.md" >"$WORK/readme"
	[ "$(head -n 1 "$WORK/readme")" = "apt-get install -y make" ]
	SANDBOX_ROOT=$(cat "$WORK/root") inside bare.sh
}
