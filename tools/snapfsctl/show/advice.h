/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to do about a failure: one line for those that have an obvious next step. */
#ifndef SF_SNAPFSCTL_SHOW_ADVICE_H
#define SF_SNAPFSCTL_SHOW_ADVICE_H

/* On standard error, when there is any for this errno and the daemon's text. path: what was worked on,
 * "VM/NAME"; may be "". */
void sf_advice_say(int rc, const char *text, const char *path);

#endif
