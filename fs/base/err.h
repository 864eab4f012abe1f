/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error value: a negative errno with a message. The caller owns it. Its size is fixed, so that it works
 * under ENOMEM. Every function that takes one accepts NULL.
 */
#ifndef SF_BASE_ERR_H
#define SF_BASE_ERR_H

/* Longest message; a longer one is truncated. Room for two full paths and a few words. */
#define SF_ERR_TEXT 1024

struct sf_err {
	int code; /* negative errno, 0 when nothing failed */
	char text[SF_ERR_TEXT];
};

/* Sets code and message; returns rc, which must be a negative errno. Preserves errno. */
int sf_fail(struct sf_err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prefixes the message with what the caller was doing; returns rc unchanged. */
int sf_wrap(struct sf_err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "ENOSPC" for 28 or -28; "E?" for an unknown number. */
const char *sf_errno_name(int code);

#endif
