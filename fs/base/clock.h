/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wall clock, monotonic clock, and the one text form of a time: RFC 3339 in UTC with nanoseconds. */
#ifndef SF_BASE_CLOCK_H
#define SF_BASE_CLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* "2026-11-22T16:39:00.123456789Z" and its NUL. */
#define SF_TIME_TEXT 32

/* Nanoseconds since the epoch (CLOCK_REALTIME). */
uint64_t sf_clock_real_ns(void);

/* Milliseconds on CLOCK_MONOTONIC; only for deadlines and durations. */
uint64_t sf_clock_mono_ms(void);

/*
 * Initializes a condition variable whose timed waits use CLOCK_MONOTONIC. Destroy it with
 * pthread_cond_destroy(3).
 */
void sf_clock_cond_init(pthread_cond_t *cond);

void sf_time_format(uint64_t real_ns, char text[static SF_TIME_TEXT]);

/* Accepts only the form that sf_time_format() writes, for the years 1970 to 2400. -EINVAL otherwise. */
int sf_time_parse(const char *text, uint64_t *ret_real_ns);

#endif
