/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error messages on standard error, and the exit status, for all of snapfsctl. */
#ifndef SF_SNAPFSCTL_SHOW_SAY_H
#define SF_SNAPFSCTL_SHOW_SAY_H

/* Exit status, as in snapfsctl(1). */
enum sf_exit {
	SF_EXIT_OK = 0,
	SF_EXIT_FAILED = 1,
	SF_EXIT_USAGE = 2,
	SF_EXIT_PARTLY = 3, /* some of several items failed */
};

/* Prints "snapfsctl: " and one line on standard error. Control characters become '?'. */
void sf_ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
