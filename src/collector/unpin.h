/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Removes the maps that agents have pinned, of all families. */
#ifndef PMDAKVM_UNPIN_H
#define PMDAKVM_UNPIN_H

#include "base/config.h"
#include "base/report.h"

/*
 * Remove the pinned maps of every family from the folder that the configuration names
 * ([bpf] pin), and the folder if it is empty then. A line in the report says what was removed,
 * and why something was not. 0 if no map of ours is left there, or an error: -EWOULDBLOCK
 * while an agent uses the folder.
 */
int unpin(const struct config *config, struct report *report);

#endif /* PMDAKVM_UNPIN_H */
