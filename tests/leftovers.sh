# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# What tests and benchmarks leave in folders that are not theirs: PCP's own, /var/tmp, and the
# BPF file system. Sourced, as root, in a mount namespace that ends with the script. There each
# folder becomes an overlay, so that what is found is the script's doing and nobody else's, and
# the host does not keep it.

LEFTOVERS_LAYERS=
LEFTOVERS_WATCHED=() # FOLDER=LAYER
LEFTOVERS_MISSING=()

# leftovers_watch DIR: from now on; DIR, a new folder, is for the layers. Fails where there are
# no overlays.
leftovers_watch() {
	local folder layer n=0
	mkdir "$1"
	mount -t tmpfs tmpfs "$1" || return 1
	LEFTOVERS_LAYERS=$1
	while read -r folder; do
		if [ ! -d "$folder" ]; then
			LEFTOVERS_MISSING+=("$folder")
			continue
		fi
		layer=$1/$((n += 1))
		mkdir "$layer" "$layer"/{new,work}
		find "$folder" -type d -printf '%P\n' >"$layer/before"
		# the root of an overlay has the owner and mode of its upper layer
		chmod --reference="$folder" "$layer/new"
		chown --reference="$folder" "$layer/new"
		mount -t overlay overlay "$folder" \
			-o "lowerdir=$folder,upperdir=$layer/new,workdir=$layer/work" || return 1
		LEFTOVERS_WATCHED+=("$folder=$layer")
	done < <(leftovers_folders)
}

leftovers_folders() {
	{
		# shellcheck disable=SC1091
		[ ! -r /etc/pcp.env ] || (
			set +u
			. /etc/pcp.env
			printf '%s\n' "$PCP_VAR_DIR" "$PCP_SYSCONF_DIR" "$PCP_RUN_DIR" "$PCP_LOG_DIR"
		)
		echo /var/tmp
	} | xargs realpath -m | sort -u
}

# leftovers_list: a line for each file that was made, changed or removed, new folder and pin.
leftovers_list() {
	local watched folder layer path
	for watched in "${LEFTOVERS_WATCHED[@]}"; do
		folder=${watched%%=*} layer=${watched#*=}
		find "$layer/new" -mindepth 1 ! -type d -printf "$folder/%P\n"
		# folders of the host's are in the layer once something was made in them
		find "$layer/new" -mindepth 1 -type d -printf '%P\n' |
			{ grep -vxFf "$layer/before" || true; } | sed "s|.*|$folder/&/|"
	done
	for path in "${LEFTOVERS_MISSING[@]}"; do
		[ ! -e "$path" ] || echo "$path"
	done
	! mountpoint -q /sys/fs/bpf || find /sys/fs/bpf -mindepth 1
}

# leftovers_end: no more; DIR can be removed.
leftovers_end() {
	local watched
	for watched in "${LEFTOVERS_WATCHED[@]}"; do
		umount -l "${watched%%=*}"
	done
	[ -z "$LEFTOVERS_LAYERS" ] || umount -l "$LEFTOVERS_LAYERS"
	LEFTOVERS_WATCHED=() LEFTOVERS_LAYERS=
}
