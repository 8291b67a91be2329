// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The daemon's main: apart from pmda.c, so that the DSO has the same objects. */
#include "pmda.h"

int main(int argc, char **argv)
{
	return pmda_main(argc, argv);
}
