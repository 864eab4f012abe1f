/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What thin_dump (thin-provisioning-tools) says of one thin device, read as a stream of XML with expat. */
#ifndef SF_BACKENDS_LVM_THIN_MAP_H
#define SF_BACKENDS_LVM_THIN_MAP_H

#include <stdint.h>

struct sf_err;
struct sf_extents;

/*
 * Reads what thin_dump --dev-id N says, from where fd (a file or a pipe) stands to its end. *ret, whose
 * size_bytes the caller has set, gets the mapped ranges of device dev_id in bytes; untouched on failure. It
 * may say more than is mapped, never less: -EPROTO when the text ends early, is not well-formed, has a
 * DOCTYPE, lacks the device, names its blocks out of order or twice, or names fewer than the device says it
 * has, as a dump of several devices since version 1.0 does (<ref> to what they share). Unknown elements and
 * attributes are passed over.
 * -E2BIG and -ENOMEM as sf_extents_add(), and what read(2) says.
 */
int sf_thin_map_read(int fd, uint64_t dev_id, struct sf_extents *ret, struct sf_err *err);

#endif
