/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the user what to do about a failure, in one line, where the next step is obvious. */
#ifndef SF_SNAPFSCTL_SHOW_ADVICE_H
#define SF_SNAPFSCTL_SHOW_ADVICE_H

/*
 * Prints advice on standard error if there is any for this errno and error text. path: the snapshot that
 * failed, "VM/NAME"; may be "".
 */
void sf_advice_say(int rc, const char *text, const char *path);

#endif
