/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going to the background: the parent stays until the child says that it is ready or ends, so that the user
 * sees every error and the exit status means something.
 */
#ifndef SF_DAEMON_H
#define SF_DAEMON_H

struct sf_err;

/*
 * Forks. 1 in the parent, once it is known how the child fared: *ret_status is what to exit with. 0 in the
 * child.
 */
int sf_daemon_fork(int *ret_ready_fd, int *ret_status, struct sf_err *err);

/*
 * In the child: gives up the terminal and the working directory, sends the log to syslog, and lets the parent
 * go. -EPIPE when the parent was ended meanwhile: its user gave up.
 */
int sf_daemon_ready(int ready_fd, struct sf_err *err);

#endif
