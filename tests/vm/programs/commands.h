/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs dmsetup and lvs in tests on real devices, to compare their answers with ours. */
#ifndef TESTS_VM_PROGRAMS_COMMANDS_H
#define TESTS_VM_PROGRAMS_COMMANDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline void command_line(char line[static 1024], const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static inline void command_line(char line[static 1024], const char *fmt, va_list args)
{
	int len = vsnprintf(line, 1024, fmt, args);

	assert_true(len > 0 && len < 1024);
}

/*
 * Runs a shell command, which must succeed. Stores the first line of its output in text, without the newline.
 */
static inline void says(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static inline void says(char *text, size_t size, const char *fmt, ...)
{
	char line[1024], rest[256];
	va_list args;
	FILE *f;

	va_start(args, fmt);
	command_line(line, fmt, args);
	va_end(args);
	f = popen(line, "re");
	assert_non_null(f);
	text[0] = '\0';
	if (fgets(text, (int)size, f))
		text[strcspn(text, "\n")] = '\0';
	while (fgets(rest, sizeof(rest), f))
		;
	if (pclose(f) != 0)
		fail_msg("failed: %s", line);
}

static inline void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void run(const char *fmt, ...)
{
	char line[1024], ignored[256];
	va_list args;

	va_start(args, fmt);
	command_line(line, fmt, args);
	va_end(args);
	says(ignored, sizeof(ignored), "%s", line);
}

/* Runs a shell command and returns the number it prints. */
static inline uint64_t number_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline uint64_t number_of(const char *fmt, ...)
{
	char line[1024], text[64];
	va_list args;

	va_start(args, fmt);
	command_line(line, fmt, args);
	va_end(args);
	says(text, sizeof(text), "%s", line);
	return strtoull(text, NULL, 10);
}

#endif
