/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging: one line per event, to standard error or to syslog. Where standard error is the journal, lines
 * begin with their priority instead of the program's name and a word. The level is the program's only mutable
 * global. SNAPFS_DEBUG in the environment, with any value, raises it to debug.
 */
#ifndef SF_BASE_LOG_H
#define SF_BASE_LOG_H

#include <stdbool.h>

enum sf_log_level { SF_LOG_ERROR, SF_LOG_WARNING, SF_LOG_INFO, SF_LOG_DEBUG };

/* Call once, before any thread starts. */
void sf_log_init(bool to_syslog);

/* Switches to syslog, for a daemon that detaches from its terminal. Other threads may be logging. */
void sf_log_to_syslog(void);

bool sf_log_wants(enum sf_log_level level);

void sf_log(enum sf_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
