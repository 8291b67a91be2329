#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# run-kernel.sh: run a shell script inside a kernel of choice, with KVM in it, under emulation.
#
# Nothing is asked of this machine but the programs below: no /dev/kvm, no privilege, no network. What
# the script prints, on stdout or stderr, is our stdout, as it comes; its exit status is ours. But:
#     2  wrong usage
#    77  a program that is needed here is not installed; one line on stderr names it
#   124  the time was up; what the emulator has waited for a CPU of this machine does not count
#   125  the guest ended with no exit status: a panic, a module that did not load, an emulator that failed
#   126  the script ended with 0, but while it ran the kernel warned of something or was tainted
# Those last three show on stderr what the kernel said.
#
# The script is run by busybox's sh as root, standard input empty, in a file system in memory with
# busybox's commands, what --add brought, and proc, sysfs, devtmpfs, tracefs, bpffs and securityfs in
# their usual places. KVM's modules lie in /modules, and /modules/order names them in insmod order.
#
# With --host-root it is run by bash in this machine's root folder instead: all that is there can be read; what
# is changed inside is changed in the guest's memory alone. What is read inside must not change here
# meanwhile. /run is empty, and there is a control group file system.

set -euo pipefail

usage()
{
	cat <<-'END'
		usage: run-kernel.sh --kernel DIR --script FILE [OPTION]...
		  --kernel DIR       a folder that fetch-kernel.sh printed
		  --script FILE      what to run inside
		  --add FROM[:TO]    bring FROM, a program found here by path or by $PATH, with its shared
		                     libraries, or another file, or a folder; TO is its path inside, for a
		                     program by default /usr/bin/NAME, else the same path; may be repeated
		  --host-root        run it in this machine's root folder; with amd, and a kernel named -host
		  --no-modules       leave loading KVM's modules to the script
		  --machine NAME     amd (default): x86 with SVM, by QEMU
		                     intel: x86 with VMX and EPT, by Bochs
		                     arm64: by QEMU; its programs come from --sysroot
		  --model NAME       of its processor: what QEMU calls it (default EPYC, for arm64 max);
		                     for intel haswell_4770 (default; has PAUSE exits) or skylake_x (has PML)
		  --sysroot DIR      where --add looks for programs by name, and for shared libraries
		  --cpus N           default 2; intel has 1
		  --memory MIB       default 512, for intel 256
		  --timeout SECONDS  default 120; waiting for a CPU of this machine does not count
		  --append ARGS      more kernel arguments
		  --icount N         with QEMU: time is that of instructions, 2^N ns each, whatever they take
		                     here; and none while all CPUs are idle
	END
}

say()
{
	echo "run-kernel.sh: $*" >&2
}

die()
{
	say "$@"
	exit 2
}

skip()
{
	say "$@"
	exit 77
}

parse_arguments()
{
	while [[ $# -gt 0 ]]; do
		case $1 in
		--no-modules) load_modules=0 ;;
		--host-root) host_root=1 ;;
		--help)
			usage
			exit 0
			;;
		--kernel | --script | --add | --machine | --model | --sysroot | --cpus | --memory | --timeout | --append | --icount)
			[[ $# -ge 2 ]] || die "$1 needs a value"
			case $1 in
			--add) adds+=("$2") ;;
			*) printf -v "${1#--}" %s "$2" ;;
			esac
			shift
			;;
		*)
			usage >&2
			exit 2
			;;
		esac
		shift
	done
	[[ -r $kernel/vmlinuz && -d $kernel/modules ]] || die "--kernel: '$kernel' holds no kernel from fetch-kernel.sh"
	[[ $timeout =~ ^[1-9][0-9]*$ ]] || die "--timeout: '$timeout' is no number of seconds"
	[[ -f $script && -r $script ]] || die "--script: cannot read '$script'"
	declare -F "machine_$machine" >/dev/null || die "--machine: no such machine: '$machine'"
	[[ $host_root = 0 || $machine = amd ]] || die "--host-root: there is none for machine $machine"
	[[ $host_root = 0 || -s $kernel/modules/order.9p ]] || die "--host-root: '$kernel' has no module 9p"
	[[ -z $sysroot || -d $sysroot ]] || die "--sysroot: no such folder: '$sysroot'"
}

need_tools()
{
	local tool file

	for tool in "${tools[@]}" cpio; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	for file in "${files[@]}"; do
		[[ -e ${file%:*} ]] || skip "${file%:*} is not there (package ${file#*:})"
	done
}

# Where the program of that name is.
find_program()
{
	local dir

	[[ -n $sysroot ]] || { command -v "$1"; return; }
	for dir in usr/sbin usr/bin sbin bin; do
		[[ ! -x $sysroot/$dir/$1 ]] || { echo "$sysroot/$dir/$1"; return 0; }
	done
	return 1
}

# The same from the sysroot, where ldd cannot run the program.
add_sysroot_libraries()
{
	local name dir found

	while IFS= read -r name; do
		found=
		for dir in lib usr/lib lib/*-linux-gnu usr/lib/*-linux-gnu; do
			for found in "$sysroot"/$dir/${name##*/}; do
				[[ ! -e $found ]] || break 2
			done
			found=
		done
		[[ -n $found ]] || die "$1 lacks a library in $sysroot: $name"
		dir=${found#"$sysroot"}
		[[ ! -e $root$dir ]] || continue
		mkdir -p "$root${dir%/*}"
		cp -L "$found" "$root$dir"
		add_sysroot_libraries "$found"
	done < <(readelf -ld "$1" 2>/dev/null | sed -nE \
		-e 's/.*\(NEEDED\).*\[(.*)\]/\1/p' -e 's/.*program interpreter: (.*)\]/\1/p')
}

# Copies the shared libraries of the program $1, the loader included, to the same paths inside. What is
# static, foreign, or no program at all has none.
add_libraries()
{
	local list line path

	[[ -z $sysroot ]] || { add_sysroot_libraries "$1"; return; }
	list=$(ldd "$1" 2>/dev/null) || return 0
	while IFS= read -r line; do
		[[ $line != *'=> not found'* ]] || die "$1 lacks a library here: ${line#"${line%%[![:space:]]*}"}"
		[[ $line == *' (0x'* && $line == */* ]] || continue
		path=${line#*=> }
		path=${path%% (0x*}
		path=${path#"${path%%[![:space:]]*}"}
		[[ -e $root$path ]] || { mkdir -p "$root${path%/*}" && cp -L "$path" "$root$path"; }
	done <<<"$list"
}

# Brings one --add argument.
add_path()
{
	local from=${1%%:*} to='' program

	[[ $1 != *:* ]] || to=${1#*:}
	[[ $from == */* || -e $from ]] || from=$(find_program "$from") || die "--add: no program '${1%%:*}' here"
	[[ -r $from ]] || die "--add: cannot read '$from'"
	if [[ -z $to && -f $from && -x $from ]]; then
		to=/usr/bin/${from##*/}
	fi
	to=${to:-$(realpath -s "$from")}
	[[ $to == /* ]] || die "--add: '$to' is not a path from the root"
	if [[ -d $from ]]; then
		mkdir -p "$root$to"
		cp -a --remove-destination "$from/." "$root$to"
	else
		mkdir -p "$root${to%/*}"
		cp -L --preserve=mode --remove-destination "$from" "$root$to"
	fi
	while IFS= read -r program; do
		add_libraries "$program"
	done < <(find -L "$from" -type f \( -perm /111 -o -name '*.so*' \))
}

# The files of modules to load, in order.
modules_order()
{
	local wanted=${wanted_module:+$kernel/modules/order.$wanted_module}

	if [[ $host_root = 1 ]]; then
		awk '!seen[$0]++' "$kernel"/modules/order.{9pnet-virtio,9p,overlay,bridge,veth} "$wanted"
	else
		cat "${wanted:-/dev/null}"
	fi
}

build_initramfs()
{
	local link add busybox

	busybox=$(find_program busybox) || skip "busybox is not installed${sysroot:+ in $sysroot}"
	mkdir -p "$root"/{dev,proc,sys,root,tmp,run,etc,modules,var/tmp} "$root"/usr/{bin,sbin,lib,lib64}
	for link in bin sbin lib lib64; do
		ln -s "usr/$link" "$root/$link"
	done
	chmod 1777 "$root/tmp" "$root/var/tmp"
	echo 'root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false' >"$root/etc/passwd"
	echo 'root:x:0:
nogroup:x:65534:' >"$root/etc/group"
	add_path "$busybox:/usr/bin/busybox"
	ln -s busybox "$root/usr/bin/sh"

	find "$kernel/modules" -name '*.ko' -exec cp -t "$root/modules" {} +
	shrink_modules
	modules_order >"$root/modules/order"
	cp "$script" "$root/script"
	for add in "${adds[@]}"; do
		add_path "$add"
	done
	cp "${BASH_SOURCE[0]%/*}/init.sh" "$root/init"
	chmod 755 "$root/init"
	echo "$bad_lines" >"$root/bad"
	# not compressed: an emulated CPU takes longer to unpack than to read
	(cd "$root" && find . -print0 | cpio --null --create --format=newc --owner=+0:+0 --quiet) >"$work/initrd"
}

# How long the process's busiest thread has waited for a CPU, in seconds.
waited()
{
	cat "/proc/$1"/task/*/schedstat 2>/dev/null |
		awk '$1 >= ran { ran = $1; ns = $2 } END { printf "%d\n", ns / 1e9 }' || :
}

# Ends the emulator. Bochs can leave a SIGTERM unheard.
end_emulator()
{
	local left=50

	kill "$emulator_pid" || return 0
	while [[ $left -gt 0 ]] && kill -0 "$emulator_pid"; do
		sleep 0.1
		left=$((left - 1))
	done
	kill -9 "$emulator_pid" || :
} 2>/dev/null

# Ends the emulator when its time is up. On a busy machine it takes longer for the same: only the time that
# it ran or slept counts.
watch_emulator()
{
	local start=$SECONDS

	while sleep 2; do
		[[ $((SECONDS - start)) -gt $timeout ]] || continue
		[[ $((SECONDS - start - $(waited "$emulator_pid"))) -gt $timeout ]] || continue
		: >"$work/late"
		end_emulator
		return
	done
}

# Sets emulator_status. The emulator gets a pipe of ours, not our stdout, since it would leave that
# non-blocking.
run_emulator()
{
	local all="console=$console quiet panic=-1 $arguments pmdakvm_output=$output"
	local reader

	all+=" pmdakvm_load=$load_modules pmdakvm_taint=$allowed_taint pmdakvm_host=$host_root${append:+ $append}"
	: >"$work/console"
	mkfifo "$work/output"
	cat "$work/output" &
	reader=$!
	"start_$machine" "$all" </dev/null >"$work/output" 2>"$work/errors" &
	emulator_pid=$!
	emulator_status=0
	watch_emulator </dev/null >/dev/null 2>&1 3>&- &
	watcher_pid=$!
	wait "$emulator_pid" || emulator_status=$?
	emulator_pid=
	kill "$watcher_pid" 2>/dev/null || :
	wait "$reader" || :
}

console_text()
{
	tr -d '\r' <"$work/console"
}

console_has()
{
	grep -q "$1" "$work/console"
}

cleanup()
{
	trap - EXIT INT TERM HUP
	[[ -z $watcher_pid ]] || kill "$watcher_pid" 2>/dev/null || :
	if [[ -n $emulator_pid ]]; then
		end_emulator
		wait "$emulator_pid" 2>/dev/null || :
	fi
	[[ -z $work ]] || rm -rf "$work"
}

show_console()
{
	{
		grep -v "warning: TCG doesn't support" "$work/errors" || :
		console_text
	} | tail -n 40 | sed 's/^/| /' >&2
}

# What the run came to, said where it is not the script's own exit status.
judge()
{
	local status

	status=$(console_text | sed -n 's/^@@exit \([0-9]*\)$/\1/p' | tail -n 1)
	if [[ -n $status ]] && console_has '^@@unwell'; then
		say "the kernel was not well while the script ran:"
		console_text | sed -n 's/^@@unwell /| /p' >&2
		[[ $status -ne 0 ]] || return 126
	fi
	[[ -z $status ]] || return "$status"
	if [[ -e $work/late ]]; then
		say "the time was up after $timeout s, and those that it waited for a CPU; the console's last lines:"
		show_console
		return 124
	fi
	if console_has 'Kernel panic'; then
		say "the kernel panicked; the console's last lines:"
	elif console_has '^@@failed'; then
		say "the guest $(console_text | sed -n 's/^@@//p' | sed -n 1p); the console's last lines:"
	else
		say "the guest ended with no exit status (emulator: $emulator_status); the console's last lines:"
	fi
	show_console
	return 125
}

main()
{
	parse_arguments "$@"
	"machine_$machine"
	need_tools
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	work=$(mktemp -d)
	root=$work/root
	build_initramfs
	run_emulator
	judge
}

# What the kernel says when something is wrong with it: an extended regular expression.
bad_lines='WARNING: |BUG: |Oops|Internal error|general protection fault|Call [Tt]race:|blocked for more than|rcu.*stall'

# What was asked for, and the defaults.
kernel='' script='' machine=amd model='' sysroot='' cpus=2 memory='' timeout=120 append='' icount='' load_modules=1 host_root=0 adds=()
# What the machine_* functions set.
tools=() files=() wanted_module='' console='' output='' arguments='' allowed_taint=0
# How the run goes.
work='' root='' emulator_pid='' watcher_pid='' emulator_status=''

# shellcheck source=tests/boot/machines.bash
. "${BASH_SOURCE[0]%/*}/machines.bash"
main "$@"
