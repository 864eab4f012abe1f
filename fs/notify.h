/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling the service manager that started us how we are; for Type=notify of systemd.service(5). The protocol
 * is one datagram, which sd_notify(3) describes for those who do without its library: that one would bring
 * compression and cryptography into a process of root that needs neither.
 */
#ifndef SF_NOTIFY_H
#define SF_NOTIFY_H

struct sf_err;

/*
 * Sends what sd_notify(3) knows, such as "READY=1", to the socket named in $NOTIFY_SOCKET, and status, if not
 * NULL, as its STATUS: one line for people. Nothing happens, and 0 is returned, when no manager waits for it.
 * -EAFNOSUPPORT for a socket that has neither a path nor an abstract name; -EAGAIN when the manager takes
 * nothing for ten seconds; else the errno of socket(2) or sendto(2).
 */
int sf_notify(const char *state, const char *status, struct sf_err *err);

#endif
