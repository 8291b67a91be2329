# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Helpers of tests that restart the agent, and look whether instances keep their numbers.

# agent: the PID of the private pmcd's agent
agent() {
	pgrep -P "$PMCD_PID" -x pmdakvm
}

# another PID: is there an agent that is not this one, and does it answer?
another() {
	[ -n "$(values kvm.nvms)" ] && [ "$(agent)" != "$1" ]
}

# expect_one_to_one FILE: in lines "DOMAIN NUMBER NAME" no number has two names, no name two numbers
expect_one_to_one() {
	[ -s "$1" ]
	run awk '{
		name = $0
		sub(/^[^ ]+ [^ ]+ /, "", name)
		if (($1, $2) in names && names[$1, $2] != name)
			print "two names:", $0, "and", names[$1, $2]
		if (($1, name) in numbers && numbers[$1, name] != $2)
			print "two numbers:", $0, "and", numbers[$1, name]
		names[$1, $2] = name
		numbers[$1, name] = $2
	}' "$1"
	[ -z "$output" ]
}

# archive_numbers ARCHIVE: lines "DOMAIN NUMBER NAME" of all instances in it
archive_numbers() {
	pmdumplog -i "$WORK/$1" | awk '
		/^InDom:/ { domain = $2 }
		match($0, /^ +[0-9]+ or ".*"/) {
			number = $1
			name = substr($0, RSTART, RLENGTH)
			sub(/^[^"]*"/, "", name)
			sub(/"$/, "", name)
			print domain, number, name
		}' | sort -u
}
