# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# Generate C from the file help; src/metrics/help.h declares the result.

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return text
}

function finish() {
	if (name != "") {
		sub(/(\\n)+$/, "", body)
		printf "\t{ \"%s\",\n\t  \"%s\",\n\t  \"%s\" },\n", name, quoted(oneline), body
	}
}

BEGIN {
	print "#include \"metrics/help.h\"\n\nconst struct help helps[] = {"
}

/^#/ { next }

/^@ / {
	finish()
	name = $2
	oneline = $0
	sub(/^@ [^ ]+ /, "", oneline)
	body = ""
	next
}

{ body = body (body == "" && $0 == "" ? "" : quoted($0) "\\n") }

END {
	finish()
	print "};\n\nconst size_t helps_count = sizeof(helps) / sizeof(helps[0]);"
}
