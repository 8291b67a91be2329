// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILL_BYTE 0xa5
#define POISON	  ((char *)1)

static char work_folder[PATH_MAX];
static int work_fds;

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int work_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char folder[PATH_MAX];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/pmdakvm-unit.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(folder) || chdir(folder) || !getcwd(work_folder, sizeof(work_folder)))
		return -1;
	work_fds = count_fds();
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

int work_teardown(void **state)
{
	int fds = count_fds();

	(void)state;
	if (chdir("/") || nftw(work_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		return -1;
	assert_int_equal(fds, work_fds);
	return 0;
}

void write_bytes(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

void write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(file);
	if (getdelim(&text, &size, '\0', file) < 0) {
		assert_true(feof(file));
		/* glibc has a buffer then; strdup() is what a test may have made to fail */
		assert_non_null(text);
		*text = '\0';
	}
	fclose(file);
	return text;
}

void make_folders(const char *path)
{
	char *copy = strdup(path);

	assert_non_null(copy);
	for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		assert_true(mkdir(copy, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	assert_true(mkdir(copy, 0755) == 0 || errno == EEXIST);
	free(copy);
}

void untouched_fill(void *output, size_t size)
{
	memset(output, FILL_BYTE, size);
}

void assert_untouched(const void *output, size_t size)
{
	const unsigned char *bytes = output;

	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], FILL_BYTE);
}

void assert_warnings(const struct report *report, const char *const *texts)
{
	size_t n = 0;

	for (; texts[n] && n < report->n; n++) {
		assert_string_equal(report->lines[n].text, texts[n]);
		assert_int_equal(report->lines[n].level, REPORT_WARNING);
	}
	if (texts[n])
		fail_msg("no warning \"%s\"", texts[n]);
	if (n < report->n)
		fail_msg("one warning too many: \"%s\"", report->lines[n].text);
	assert_int_equal(report->dropped, 0);
}

void assert_warning(const struct report *report, const char *text)
{
	assert_warnings(report, (const char *const[]){ text, NULL });
}

void load_config(const char *text, size_t size, struct report *report, struct config *config)
{
	*report = (struct report){ 0 };
	untouched_fill(config, sizeof(*config));
	write_bytes("kvm.conf", text, size);
	assert_int_equal(config_load("kvm.conf", report, config), 0);
	assert_string_equal(config->path, "kvm.conf");
}

void unload_config(struct report *report, struct config *config)
{
	report_clear(report);
	config_free(config);
}

void assert_config_events(const struct config *config, const char *names)
{
	char found[1024] = "";

	for (size_t i = 0; i < config->nevents; i++) {
		strcat(found, i ? " " : "");
		strcat(found, config->events[i].name);
	}
	assert_string_equal(found, names);
}

/* The cookie of a FILE that fails. */
struct failing {
	const char *text;
	size_t room;
	int err;
};

static ssize_t failing_write(void *cookie, const char *bytes, size_t size)
{
	struct failing *failing = cookie;

	(void)bytes;
	if (size > failing->room) { /* stdio does not retry after a short write */
		errno = failing->err;
		size = failing->room;
	}
	failing->room -= size;
	return (ssize_t)size;
}

static ssize_t failing_read(void *cookie, char *bytes, size_t size)
{
	struct failing *failing = cookie;

	if (!*failing->text) {
		errno = failing->err;
		return -1;
	}
	size = strnlen(failing->text, size);
	memcpy(bytes, failing->text, size);
	failing->text += size;
	return (ssize_t)size;
}

static int failing_close(void *cookie)
{
	free(cookie);
	return 0;
}

static FILE *failing_open(const struct failing *what, const char *mode)
{
	struct failing *failing = malloc(sizeof(*failing));
	FILE *file;

	assert_non_null(failing);
	*failing = *what;
	file = fopencookie(failing, mode,
			   (cookie_io_functions_t){ .read = failing_read,
						    .write = failing_write,
						    .close = failing_close });
	assert_non_null(file);
	return file;
}

FILE *open_failing_writer(size_t room, int err)
{
	return failing_open(&(struct failing){ .room = room, .err = err }, "w");
}

FILE *open_failing_reader(const char *text, int err)
{
	return failing_open(&(struct failing){ .text = text, .err = err }, "r");
}

int descriptor_0_free(void)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 3); /* -1: 0 was not open */

	close(0);
	return saved;
}

void descriptor_0_restore(int saved)
{
	close(0);
	if (saved >= 0) {
		assert_int_equal(dup2(saved, 0), 0);
		close(saved);
	}
}

/* The linker's --wrap redirects the calls of our own code here, but not libraries' own calls. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
int __real_vasprintf(char **ret_text, const char *format, va_list args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **ret_text, const char *format, va_list args);
int __wrap_asprintf(char **ret_text, const char *format, ...);

static struct {
	bool armed, failed;
	unsigned left; /* allocations before the one that fails */
} alloc;

void alloc_fail_at(unsigned n)
{
	alloc.armed = true;
	alloc.failed = false;
	alloc.left = n;
}

bool alloc_failed(void)
{
	alloc.armed = false;
	return alloc.failed;
}

bool alloc_fails(void)
{
	if (!alloc.armed || alloc.failed)
		return false;
	if (alloc.left--)
		return false;
	alloc.failed = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return alloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_reallocarray(old, n, size);
}

char *__wrap_strdup(const char *text)
{
	return alloc_fails() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **ret_text, const char *format, va_list args)
{
	if (alloc_fails()) {
		*ret_text = POISON; /* asprintf(3): undefined after a failure */
		return -1;
	}
	return __real_vasprintf(ret_text, format, args);
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = __wrap_vasprintf(ret_text, format, args);
	va_end(args);
	return len;
}

int snapshot_bytes_load(const char *text, size_t size, struct snapshot *snapshot, unsigned *line)
{
	FILE *file = fmemopen((void *)text, size, "r");
	int err;

	assert_non_null(file);
	err = snapshot_load(file, snapshot, line);
	fclose(file);
	return err;
}
