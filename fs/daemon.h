/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts the daemon into the background. The parent stays until the child is ready or has exited, so that the
 * user sees every error and the exit status is meaningful.
 */
#ifndef SF_DAEMON_H
#define SF_DAEMON_H

struct sf_err;

/*
 * Forks. Returns 1 in the parent, once the child is ready or has exited: *ret_status is the exit status to
 * use. Returns 0 in the child: *ret_ready_fd is for sf_daemon_ready().
 */
int sf_daemon_fork(int *ret_ready_fd, int *ret_status, struct sf_err *err);

/*
 * In the child: gives up the terminal and the working directory, sends the log to syslog, releases the parent
 * and closes ready_fd. -EPIPE when the parent is gone: its user gave up.
 */
int sf_daemon_ready(int ready_fd, struct sf_err *err);

#endif
