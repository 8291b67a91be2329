/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The directory that a file is in. */
#ifndef PMDAKVM_FOLDER_H
#define PMDAKVM_FOLDER_H

/*
 * Make the directory of the file at path; the directory's parent must exist. On failure, opening
 * the file fails too, and its error says why.
 */
void folder_make_of(const char *path);

#endif /* PMDAKVM_FOLDER_H */
