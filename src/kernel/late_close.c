// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/late_close.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct waiting {
	uint64_t number;
	int fd;
};

struct late_close {
	pthread_mutex_t lock;
	pthread_cond_t closed; /* one is closed, or the thread has ended */
	struct waiting *list;  /* [n], in the order of their numbers */
	size_t n;
	uint64_t last;	  /* the number given away last */
	uint64_t closing; /* what the thread closes now; 0: nothing */
	bool runs;	  /* the thread */
};

int late_close_new(struct late_close **ret_late)
{
	struct late_close *late = calloc(1, sizeof(*late));

	if (!late)
		return -ENOMEM;
	pthread_mutex_init(&late->lock, NULL);
	pthread_cond_init(&late->closed, NULL);
	*ret_late = late;
	return 0;
}

/* Remove one from the list. Returns its descriptor. */
static int waiting_remove(struct late_close *late, size_t at)
{
	int fd = late->list[at].fd;

	late->n--;
	for (size_t i = at; i < late->n; i++)
		late->list[i] = late->list[i + 1];
	return fd;
}

static void *run(void *data)
{
	struct late_close *late = data;

	pthread_mutex_lock(&late->lock);
	while (late->n) {
		int fd;

		late->closing = late->list[0].number;
		fd = waiting_remove(late, 0);
		pthread_mutex_unlock(&late->lock);
		close(fd);
		pthread_mutex_lock(&late->lock);
		late->closing = 0;
		pthread_cond_broadcast(&late->closed);
	}
	late->runs = false;
	pthread_cond_broadcast(&late->closed);
	pthread_mutex_unlock(&late->lock);
	return NULL;
}

/* Start the thread, if it does not run. It takes no signals. Returns whether it runs. */
static bool thread_start(struct late_close *late)
{
	sigset_t all, before;
	pthread_t thread;

	if (late->runs)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	late->runs = pthread_create(&thread, NULL, run, late) == 0;
	if (late->runs)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return late->runs;
}

uint64_t late_close_put(struct late_close *late, int fd)
{
	struct waiting *list;
	uint64_t number;

	pthread_mutex_lock(&late->lock);
	number = ++late->last;
	list = reallocarray(late->list, late->n + 1, sizeof(*list));
	if (list) {
		late->list = list;
		list[late->n++] = (struct waiting){ number, fd };
	}
	if (!list)
		close(fd);
	else if (!thread_start(late))
		close(waiting_remove(late, late->n - 1));
	pthread_mutex_unlock(&late->lock);
	return number;
}

int late_close_take(struct late_close *late, uint64_t number)
{
	int fd = -1;

	pthread_mutex_lock(&late->lock);
	for (size_t i = 0; fd < 0 && i < late->n; i++) {
		if (late->list[i].number == number)
			fd = waiting_remove(late, i);
	}
	while (late->closing == number)
		pthread_cond_wait(&late->closed, &late->lock);
	pthread_mutex_unlock(&late->lock);
	return fd;
}

static bool is_left(const struct late_close *late, int fd)
{
	for (size_t i = 0; i < late->n; i++) {
		if (late->list[i].fd == fd)
			return true;
	}
	return false;
}

/* In a process of its own: it ends once the kernel has closed them. Calls nothing that locks. */
static void child_run(const struct late_close *late)
{
	int last = -1;

	for (size_t i = 0; i < late->n; i++)
		last = late->list[i].fd > last ? late->list[i].fd : last;
	for (int fd = 0; fd < last; fd++) {
		if (!is_left(late, fd))
			close(fd);
	}
	close_range((unsigned int)last + 1, UINT_MAX, 0);
	_exit(EXIT_SUCCESS);
}

void late_close_free(struct late_close *late)
{
	if (!late)
		return;
	pthread_mutex_lock(&late->lock);
	if (late->n) {
		pid_t child = fork();

		if (child == 0)
			child_run(late);
		/* quick now, if the child has them, too */
		while (late->n)
			close(waiting_remove(late, late->n - 1));
	}
	while (late->runs)
		pthread_cond_wait(&late->closed, &late->lock);
	pthread_mutex_unlock(&late->lock);
	pthread_cond_destroy(&late->closed);
	pthread_mutex_destroy(&late->lock);
	free(late->list);
	free(late);
}
