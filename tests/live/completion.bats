# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# bats file_tags=idle
#
# Tests the completion of kvmbpf for bash. Needs neither root nor KVM.

load common

# offers WORD...: the words that are offered for the last of these, sorted, on a line
offers() {
	# shellcheck source=completions/kvmbpf
	. "$TOP/completions/kvmbpf"
	COMP_WORDS=("$BUILD/kvmbpf" "$@") COMP_CWORD=$#
	_kvmbpf
	printf '%s\n' "${COMPREPLY[@]}" | sort -u | tr '\n' ' '
}

@test "every subcommand is offered, and each of its options" {
	[ "$(offers d)" = "doctor dump " ]
	[ "$(offers --v)" = "--version " ]
	wanted=$("$BUILD/kvmbpf" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$wanted")" -ge 4 ]
	for command in $wanted; do
		[[ " $(offers "") " == *" $command "* ]]
		for option in $("$BUILD/kvmbpf" "$command" --help | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
			[[ " $(offers "$command" --) " == *" $option "* ]] || { echo "$command $option"; return 1; }
		done
	done
}

@test "files are offered where an option takes one, and nothing where it takes another word" {
	new_work
	cd "$WORK"
	touch a.snapshot
	[ "$(offers top --from a)" = "a.snapshot " ]
	[ "$(offers top -c a)" = "a.snapshot " ]
	[ "$(offers stat --output a)" = "a.snapshot " ]
	[ "$(offers top --delay "")" = " " ]
	[ "$(offers top --batch --from a)" = "a.snapshot " ]
	[ "$(offers nothing --)" = " " ]
}
