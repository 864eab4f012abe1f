/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two clocks and one spelling of an instant: RFC 3339 in UTC with nanoseconds. */
#ifndef SF_BASE_CLOCK_H
#define SF_BASE_CLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* "2026-11-22T16:39:00.123456789Z" and its NUL. */
#define SF_TIME_TEXT 32

/* Nanoseconds since the epoch (CLOCK_REALTIME). */
uint64_t sf_clock_real_ns(void);

/* Milliseconds of CLOCK_MONOTONIC: for deadlines and durations only. */
uint64_t sf_clock_mono_ms(void);

/* A condition whose timed waits count CLOCK_MONOTONIC. Destroyed with pthread_cond_destroy(3). */
void sf_clock_cond_init(pthread_cond_t *cond);

void sf_time_format(uint64_t real_ns, char text[static SF_TIME_TEXT]);

/* Accepts exactly what sf_time_format() writes, years 1970-2400; -EINVAL otherwise. */
int sf_time_parse(const char *text, uint64_t *ret_real_ns);

#endif
