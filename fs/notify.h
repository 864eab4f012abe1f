/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports the daemon's state to the service manager, for Type=notify of systemd.service(5). The protocol is
 * one datagram, which sd_notify(3) documents for programs that do without its library. The library would pull
 * compression and cryptography into a root process that needs neither.
 */
#ifndef SF_NOTIFY_H
#define SF_NOTIFY_H

struct sf_err;

/*
 * Sends state, an assignment of sd_notify(3) such as "READY=1", to the socket named in $NOTIFY_SOCKET.
 * status, unless NULL, is added as STATUS: one line for people. A no-op when the variable is not set.
 * -EAFNOSUPPORT  the socket has neither a path nor an abstract name
 * -EAGAIN        the manager accepted nothing for ten seconds
 * others         those of socket(2) and sendto(2)
 */
int sf_notify(const char *state, const char *status, struct sf_err *err);

#endif
