/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000U

uint64_t sf_clock_real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t sf_clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void sf_clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

void sf_time_format(uint64_t real_ns, char text[static SF_TIME_TEXT])
{
	time_t seconds = (time_t)(real_ns / NS_PER_S);
	struct tm tm = {0};
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, SF_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + n, SF_TIME_TEXT - n, ".%09uZ", (unsigned)(real_ns % NS_PER_S));
}

int sf_time_parse(const char *text, uint64_t *ret_real_ns)
{
	struct tm tm = {0};
	unsigned fraction;
	char again[SF_TIME_TEXT];
	const char *dot = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	uint64_t ns;

	if (!dot || tm.tm_year < 70 || tm.tm_year > 500 || sscanf(dot, ".%9uZ", &fraction) != 1)
		return -EINVAL;
	ns = (uint64_t)timegm(&tm) * NS_PER_S + fraction;
	sf_time_format(ns, again);
	if (strcmp(again, text) != 0)
		return -EINVAL;
	*ret_real_ns = ns;
	return 0;
}
