/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The subcommands of kvmbpf. argv[0] is the subcommand's name; each returns an exit status. */
#ifndef PMDAKVM_COMMANDS_H
#define PMDAKVM_COMMANDS_H

#define EXIT_USAGE   2
#define EXIT_NOTHING 3 /* nothing could be counted */

int command_dump(int argc, char **argv);
int command_events(int argc, char **argv);
int command_save(int argc, char **argv);
int command_vms(int argc, char **argv);
int command_top(int argc, char **argv);
int command_stat(int argc, char **argv);
int command_doctor(int argc, char **argv);

#endif /* PMDAKVM_COMMANDS_H */
