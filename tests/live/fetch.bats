# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# bats file_tags=idle
#
# A kernel that cannot be had: what fetch-kernel.sh says of it, and what CI makes of that.

load common

# fetch_with SUITES PACKAGES [ERROR]: fetch-kernel.sh for a kernel whose archive has those packages; apt is
# made up.
fetch_with() {
	new_work
	mkdir -p "$WORK/tests/boot" "$WORK/scripts" "$WORK/bin"
	cp "$TOP/scripts/private-apt.sh" "$WORK/scripts"
	sed 's/^6\.12\t.*/6.12\t'"$1"'\tlinux-image-6\\.12\\.999-cloud-amd64\tamd64/' \
		"$TOP/tests/boot/fetch-kernel.sh" >"$WORK/tests/boot/fetch-kernel.sh"
	grep -q '999-cloud' "$WORK/tests/boot/fetch-kernel.sh"
	cat >"$WORK/bin/apt-get" <<-END
		#!/bin/sh
		case "\$*" in
		indextargets*) echo "https://deb.example/debian-security stable-security main" ;;
		*update) echo "${3:-}" >&2 ;;
		*) echo "E: cannot download" >&2; exit 100 ;;
		esac
	END
	printf '#!/bin/sh\ncase "$*" in *pkgnames*) echo "%s" ;; esac\n' "$2" >"$WORK/bin/apt-cache"
	chmod +x "$WORK"/bin/*
	PATH=$WORK/bin:$PATH PMDAKVM_CACHE=$WORK/cache run bash "$WORK/tests/boot/fetch-kernel.sh" 6.12
	echo "$output"
	[ "$status" = 77 ]
}

# ci_with REASON: the status of a run in CI with one test that passes, and one that skips for that reason.
ci_with() {
	mkdir -p "$WORK/ci/tests/boot" "$WORK/ci/.ci" "$WORK/ci/tmp"
	cp "$TOP/tests/run.sh" "$TOP/tests/leftovers.sh" "$WORK/ci/tests"
	cp -r "$TOP/scripts" "$WORK/ci"
	cp "$TOP"/.ci/allowed-skips* "$WORK/ci/.ci"
	printf '@test "one" {\n\ttrue\n}\n@test "two" {\n\tskip "%s"\n}\n' "$1" >"$WORK/ci/tests/boot/made-up.bats"
	run env -u PMDAKVM_TESTS_INSIDE CI=true TMPDIR="$WORK/ci/tmp" \
		"$WORK/ci/tests/run.sh" "$WORK/ci" "$WORK/ci/build" boot-made-up
	echo "$output"
	grep -q '^SKIPPED boot-made-up: two' <<<"$output"
}

@test "a kernel that the archive has given up is no longer to be had, which CI may skip" {
	fetch_with bookworm-security 'linux-image-6.12.111-cloud-amd64'
	[ "$output" = "fetch-kernel.sh: 6.12: no longer to be had: there is no package linux-image-6\.12\.999-cloud-amd64 in bookworm-security" ]
	ci_with "$output"
	[ "$status" = 0 ]
}

@test "a test with a guest of this host's is a failure in CI if it is skipped where KVM is" {
	ci_with "no /dev/kvm: a guest needs a host with KVM"
	if [ -c /dev/kvm ]; then
		[ "$status" = 1 ]
	else
		[ "$status" = 0 ]
	fi
	ci_with "some server is not installed"
	[ "$status" = 1 ]
}

@test "so is one whose suite the archive has given up" {
	fetch_with bookworm-security '' \
		"E: The repository 'https://deb.example/debian-security bookworm-security Release' does not have a Release file."
	[[ $output == "fetch-kernel.sh: 6.12: no longer to be had: "* ]]
}

@test "a kernel that cannot be looked for or downloaded is a skip, and a failure in CI" {
	fetch_with bookworm-security '' "W: Failed to fetch https://deb.example/debian-security  Could not connect"
	[[ $output == "fetch-kernel.sh: 6.12: cannot look for it: Failed to fetch"* ]]
	ci_with "$output"
	[ "$status" = 1 ]
	fetch_with bookworm-security 'linux-image-6.12.999-cloud-amd64'
	[ "$output" = "fetch-kernel.sh: 6.12: cannot download linux-image-6.12.999-cloud-amd64: cannot download" ]
	ci_with "$output"
	[ "$status" = 1 ]
}
