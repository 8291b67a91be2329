// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/map_dump.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int map_keys_read(int fd, size_t size, struct map_keys *keys)
{
	char key[MAP_KEYS_SIZE_MAX];

	keys->n = 0;
	while (bpf_map_get_next_key(fd, keys->n ? key : NULL, key) == 0) {
		if (keys->n == keys->room) {
			size_t room = keys->room ? keys->room * 2 : 64;
			void *grown = reallocarray(keys->list, room, size);

			if (!grown) {
				keys->n = 0;
				return -ENOMEM;
			}
			keys->list = grown;
			keys->room = room;
		}
		memcpy((char *)keys->list + keys->n++ * size, key, size);
	}
	return 0;
}

void map_keys_free(struct map_keys *keys)
{
	free(keys->list);
	*keys = (struct map_keys){ 0 };
}
