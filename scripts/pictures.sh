#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# pictures.sh TOP BUILD [SECONDS]: make docs/pictures anew: two screens of kvmbpf top, a view of pmchart and
# the page of pcp kvm, of guests that run here meanwhile: two programs of ours and, if it is installed, QEMU.
# As root, with no other VM here; takes two minutes. Look at them before you commit them.
set -euo pipefail

top=$1 build=$2 seconds=${3:-60}
# shellcheck source=scripts/pmcd.sh
. "$top/scripts/pmcd.sh"
# shellcheck source=scripts/guests.sh
. "$top/scripts/guests.sh"
pictures=$top/docs/pictures
columns=80 lines=24
mkdir -p "$pictures"
xvfb=

cleanup() {
	tmux -S "$dir/tmux" kill-server 2>/dev/null || true
	[ -z "$xvfb" ] || kill "$xvfb" 2>/dev/null || true
	pmcd_stop
	guests_end
	rm -rf "$dir"
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-pictures.XXXXXX")
trap cleanup EXIT

pmcd_env "$dir"
export PCP_DERIVED_CONFIG=$top/dashboards/derived/kvm.conf LC_ALL=C.UTF-8
{
	cat "$top/kvm.conf"
	printf '[bpf]\npin = none\n'
} >"$dir/kvm.conf"
pmcd_files "$dir" "$top" "$build" daemon -c "$dir/kvm.conf"
pmcd_start "$dir"
{
	echo "log mandatory on 1 sec {"
	sed -n 's/^\t\(kvm.*\)$/\t\1/p' "$top"/dashboards/pmlogconf/*
	echo "}"
} >"$dir/logger.conf"

# program NAME OPTION...: a guest of our program, of that name
program() {
	mkdir -p "$dir/$1/tests"
	cp "$build/tests/guest" "$dir/$1/$1"
	"$dir/$1/$1" "${@:2}" >"$dir/$1/log" 2>&1 </dev/null &
	guests+=" $!"
}

# sees TEXT: top's screen has it soon
sees() {
	local n
	for ((n = 0; n < 200; n++)); do
		if grep -qE -- "$1" <<<"$(tmux -S "$dir/tmux" capture-pane -p)"; then
			return
		fi
		sleep 0.1
	done
	echo "pictures.sh: the screen of kvmbpf top does not show \"$1\"" >&2
	return 1
}

# screen NAME: a picture of it
screen() {
	tmux -S "$dir/tmux" capture-pane -p -e | "$top/scripts/screen.py" $columns $lines >"$pictures/$1.svg"
}

# QEMU's firmware comes first, and halts for seconds; then a guest comes, and one goes
program cache --repeat --access mmio:0xfebc0010:w=50,delay-us=500 --pio 101 --cpuid 29
first=${guests# }
start_qemu "$dir" || true
sleep 15
pmlogger -h "$PMCD_HOST" -c "$dir/logger.conf" -l "$dir/logger.log" -T "${seconds}sec" "$dir/archive" &
logger=$!
sleep $((seconds / 3))
program web --repeat --vcpus 2 --cpus "$(online_cpus)" --access io:0x3f8:w=301 --access io:0x3fd:r=97 \
	--access mmio:0xfed000f0:r=53 --access cpuid:0x1=29 --access io:0x71:r=1,delay-us=12000
tmux -S "$dir/tmux" -u -f /dev/null new-session -d -x $columns -y $lines \
	"TERM=screen-256color $build/kvmbpf top -c $dir/kvm.conf -d 2"
sees '^web-[0-9]+ +2 +[0-9.]+k'
sees ' 2\.[0-9] s '
screen top
tmux -S "$dir/tmux" send-keys Enter
sees '^(vmm:)?(IO|io) +[0-9]'
sees ' 2\.[0-9] s '
screen top-vm
tmux -S "$dir/tmux" send-keys q
sleep $((seconds / 3))
kill "$first"
wait $logger || true
guests_end
others=$(pmdumplog "$dir/archive" kvm.vm.vcpus | grep ' inst ' | sort -u | grep -vE '"(cache|qemu|web)-' || true)
if [ -n "$others" ]; then
	printf 'pictures.sh: other VMs ran here meanwhile; make them again when none does:\n%s\n' "$others" >&2
	exit 1
fi

"$top/dashboards/pcp/pcp-kvm" -a "$dir/archive" --html "$dir/page.html"
chromium-headless-shell --no-sandbox --hide-scrollbars --window-size=1000,3000 --screenshot="$dir/page.png" \
	"file://$dir/page.html" >"$dir/chromium.log" 2>&1
"$top/scripts/picture.py" "$dir/page.png" "$pictures/page.png"

view=$top/dashboards/pmchart/KVM.VMs
mkdir "$dir/screen"
Xvfb -displayfd 4 -screen 0 900x800x24 -nocursor -nolisten tcp -fbdir "$dir/screen" 4>"$dir/display" >"$dir/xvfb.log" 2>&1 &
xvfb=$!
while [ ! -s "$dir/display" ]; do sleep 0.1; done
DISPLAY=:$(cat "$dir/display") pmchart -z -a "$dir/archive" -c "$view" -t 5 -s $((seconds / 5)) -v $((seconds / 5)) \
	-O "+$seconds" -geometry 900x800+0+0 >"$dir/pmchart.log" 2>&1 &
chart=$!
sleep 5
cp "$dir/screen/Xvfb_screen0" "$dir/dump"
kill $chart "$xvfb"
wait $chart "$xvfb" || true
xvfb=
"$top/scripts/picture.py" "$dir/dump" "$pictures/pmchart.png"
ls -l "$pictures"
