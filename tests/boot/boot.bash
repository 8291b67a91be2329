# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Booting Debian's kernels, for the live tests.

# boot_status KERNEL SCRIPT OPTION...: run the script in that kernel. Returns the status of
# run-kernel.sh; what the script printed is in $WORK/out, what is wrong in $WORK/err.
boot_status() {
	local kernel=$1 script=$2 status=0 build=$BUILD
	shift 2
	"$TOP/tests/boot/fetch-kernel.sh" "$kernel" >"$WORK/kernel" 2>"$WORK/err" || status=$?
	if [ $status = 0 ] && [[ $kernel == *-arm64 ]]; then
		build=$BUILD/arm64
		"$TOP/scripts/sysroot-arm64.sh" >"$WORK/sysroot" 2>"$WORK/err" || status=$?
		set -- --sysroot "$(cat "$WORK/sysroot")" "$@"
	fi
	[ $status = 0 ] || return $status
	"$TOP/tests/boot/run-kernel.sh" --kernel "$(cat "$WORK/kernel")" --script "$script" \
		--add "$build/kvmbpf" --add "$build/tests/guest" "$@" >"$WORK/out" 2>"$WORK/err"
}

# boot KERNEL SCRIPT OPTION...: the script must end well, and the kernel must be well.
boot() {
	local status=0
	boot_status "$@" || status=$?
	[ $status != 77 ] || skip "$(cat "$WORK/err")"
	[ $status = 0 ] || { cat "$WORK/out" "$WORK/err"; return 1; }
}

PCP_BIN=/usr/lib/pcp/bin

# agent_boot VERSION SCRIPTS SETTINGS OPTION...: the scripts, in one text, follow agent.sh, and SETTINGS,
# assignments; pmcd, our agent and what they need are there.
agent_boot() {
	local version=$1 settings=$3 script
	# shellcheck disable=SC2206 # words
	local scripts=(agent.sh $2)
	shift 3
	new_work
	{
		echo "PIO=$PIO $settings"
		for script in "${scripts[@]}"; do
			cat "$TOP/tests/boot/inside/$script"
		done
	} >"$WORK/script"
	boot "$version" "$WORK/script" --add "$BUILD/pmdakvm" --add pminfo --add pmstore --add jq \
		--add "$(command -v setpriv):/usr/bin/setpriv.util-linux" \
		--add "$PCP_BIN/pmcd:/usr/lib/pcp/bin/pmcd" --add "$PCP_BIN/pmcpp:/usr/lib/pcp/bin/pmcpp" \
		--add /etc/pcp.conf --add /etc/pcp.env --add /etc/passwd --add /etc/group \
		--add "$TOP/pmns:/agent/pmns" \
		--add "$BUILD/pmda_kvm.so:/agent/pmda_kvm.so" "$@"
	cat "$WORK/out"
}
