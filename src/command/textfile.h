/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A file that is written anew while others read it. */
#ifndef PMDAKVM_TEXTFILE_H
#define PMDAKVM_TEXTFILE_H

#include <stdio.h>

/*
 * Have print(file, data), which returns 0 or a negative errno, write the file at path, which all
 * may read. It is written beside, as PATH.new, and then takes the place of the one that is there:
 * who reads has the old one or the new one, whole. Returns 0 or a negative errno, and then the old
 * one is as it was.
 */
int textfile_replace(const char *path, int (*print)(FILE *file, void *data), void *data);

#endif /* PMDAKVM_TEXTFILE_H */
