/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error value: a negative errno and the sentence that goes with it. The caller owns it, its size is fixed
 * (so it works under ENOMEM), and every function that takes one accepts NULL.
 */
#ifndef SF_BASE_ERR_H
#define SF_BASE_ERR_H

/* Longest sentence kept; a longer one is cut. Room for two full paths and a few words. */
#define SF_ERR_TEXT 1024

struct sf_err {
	int code; /* negative errno, 0 when nothing failed */
	char text[SF_ERR_TEXT];
};

/* Records that something failed and returns rc, which must be a negative errno. errno is preserved. */
int sf_fail(struct sf_err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts what the caller was doing in front of the recorded sentence; returns rc unchanged. */
int sf_wrap(struct sf_err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "ENOSPC" for 28 or -28; "E?" for a number that has no name. */
const char *sf_errno_name(int code);

#endif
