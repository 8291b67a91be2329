# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# make's targets with odd names of folders; nothing on the host changes.

load common

setup() {
	new_work
	cd "$WORK" || return 1
}

# make_ ARGUMENT...: in the tree, with what is built already
make_() {
	make --no-print-directory -C "$TOP" O="$BUILD" "$@"
}

# files FOLDER: what is in it
files() {
	(cd -- "$1" && find . -mindepth 1 | sort)
}

# refused WORDS ARGUMENT...: make install and uninstall refuse that, and touch nothing
refused() {
	local words=$1 goal
	shift
	for goal in install uninstall; do
		run make_ "$goal" "$@"
		echo "$output"
		[ "$status" != 0 ]
		[[ $output == *"$words"* ]]
	done
}

# odd_make GOAL...: in the odd checkout, whose O and SAN are set
odd_make() {
	make -j2 --no-print-directory O="$O" SAN="${SAN:-}" "$@"
}

# seed FOLDER: what is built already, but for one source of each kind of rule
seed() {
	mkdir -p -- "$1"
	tar -C "$BUILD" --exclude=./san --exclude=./arm64 --exclude='./at-*' -cf - . | tar -C "$1" -xf -
	touch bpf/trace.bpf.c help src/base/utf8.c src/pmda/main.c src/command/kvmbpf.c tools/pmns.c \
		tests/fakes/support.c tests/unit/base/test_utf8.c tests/programs/deny_bpf.c \
		tests/programs/load_dso.c tests/programs/guest/guest.c tests/bench/fetch.c tests/bench/empty.bpf.c \
		src/metrics/tracepoint_items.def
}

# odd_checkout: the tree in a folder whose name is hard to quote, which becomes the current one
odd_checkout() {
	local odd="-it's \"a\" \$(copy)"
	mkdir -p -- "$odd"
	(cd "$TOP" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf -) | tar xf - -C "./$odd"
	cd -- "./$odd" || return 1
	git init -q .
	git add -A
}

@test "every target, in a checkout and O with blanks, quotes, a dollar and a leading dash" {
	need_kvm
	need pmrep
	odd_checkout
	O="-o it's"
	seed "./$O"
	odd_make all check-programs bench-programs deps deps-build install-check tables
	run odd_make
	[ "$output" = "make: Nothing to be done for 'all'." ]
	(cd -- "$O" && [ -x pmdakvm ] && [ -x kvmbpf ] && [ -f pmda_kvm.so ])
	if command -v clang-format >/dev/null; then
		odd_make format
	fi
	git diff --exit-code
	# its own rounds would take longer
	odd_make -n demo | grep demo.sh >"$WORK/demo"
	run sh -c "$(cat "$WORK/demo") 1 0.2"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"5 events are counted"* ]]
	# without what bats exports
	run env -i PATH="$(tr : '\n' <<<"$PATH" | grep -v bats-core | paste -sd :)" HOME="$HOME" TMPDIR="$WORK" \
		make --no-print-directory O="$O" SAN="${SAN:-}" check TESTS=golden
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *" 0 failed, 0 skipped" ]]
	ROUNDS=1 EVENTS=1000 VMS=2 SERIES=1 BATCHES=1 GUESTS=1 odd_make bench
	odd_make clean
	[ ! -e "$O" ]
	[ "$(ls build)" = "" ]
}

@test "O, DESTDIR and PREFIX with blanks, quotes and a leading dash" {
	mkdir -- -d -o
	echo mine | tee -- -d/mine >./-o/mine
	odd_checkout
	for O in "-o it's" -b "$WORK/o (2)"; do
		seed "$O"
		for DESTDIR in "-d it's" -d "$WORK/d \"2\""; do
			odd_make install DESTDIR="$DESTDIR"
			(cd -- "$DESTDIR" && [ -x usr/local/lib/pmdakvm/pmdas/kvm/pmdakvm ])
			odd_make uninstall DESTDIR="$DESTDIR"
			[ "$(files "$DESTDIR")" = "" ]
		done
		odd_make clean
		[ "$(ls -d -- "$O" 2>/dev/null)" = "" ]
	done
	[ "$(ls build)" = "" ]
	[ "$(cat -- ../-d/mine ../-o/mine)" = "mine
mine" ]
}

@test "make clean with an O that holds the checkout is refused" {
	odd_checkout
	for O in . .. ../.. "${PWD//\$/\$\$}" / ./src/..; do
		run odd_make clean
		echo "$output"
		[ "$status" != 0 ]
		[[ $output == *"holds the checkout"* ]]
		[ -f Makefile ]
	done
}

@test "make uninstall takes nothing that is not below DESTDIR, or not of ours" {
	mkdir -p my "my pkg/usr/local/lib" "my pkg/etc/pcp/pmrep"
	echo mine >my/mine
	echo mine >"my pkg/usr/local/lib/mine"
	before=$(files .)
	run make_ uninstall DESTDIR="$WORK/my pkg"
	echo "$output"
	[ "$(files . | grep mine)" = "$(grep mine <<<"$before")" ]
	[ "$status" = 0 ]
	make_ install DESTDIR="$WORK/my pkg" >/dev/null
	[ "$(files .)" != "$before" ]
	make_ uninstall DESTDIR="$WORK/my pkg"
	[ "$(files . | grep mine)" = "$(grep mine <<<"$before")" ]
	[ "$(find . -type f -o -type l | wc -l)" = 2 ]
	for PREFIX in /usr /-opt/-my /; do
		rm -rf pkg
		make_ install DESTDIR="$WORK/pkg" PREFIX="$PREFIX" >/dev/null
		[ -x "pkg$PREFIX/lib/pmdakvm/pmdas/kvm/Install" ]
		[ -f "pkg$PREFIX/share/pmdakvm/kvm.conf" ]
		[ ! -e pkg/etc/pcp/kvm ]
		make_ uninstall DESTDIR="$WORK/pkg" PREFIX="$PREFIX"
		[ "$(files pkg)" = "" ]
	done
}

@test "a PREFIX that pmcd.conf cannot name, or that is Debian's, is refused before anything is touched" {
	refused "pmcd.conf and PCP's own scripts" PREFIX="$WORK/my opt"
	refused "pmcd.conf and PCP's own scripts" PREFIX="$WORK/it's"
	refused "pmcd.conf and PCP's own scripts" PREFIX="$WORK/\"opt\"" DESTDIR="$WORK/dest"
	refused "has to be an absolute path" PREFIX=-opt
	refused "has to be an absolute path" PREFIX=opt DESTDIR="$WORK/dest"
	refused "/usr belongs to Debian's packages" PREFIX=/usr
	refused "/usr belongs to Debian's packages" PREFIX=//usr/../usr/ DESTDIR=/
	[ "$(files .)" = "" ]
}
