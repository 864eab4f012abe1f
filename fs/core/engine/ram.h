/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.sav, the saved RAM of a guest: writes it as the hypervisor streams it, hashes it on the way, and
 * verifies it later. The hash is XXH3 128-bit, seed 0, in canonical (big-endian) form; source: the xxHash
 * specification.
 */
#ifndef SF_CORE_ENGINE_RAM_H
#define SF_CORE_ENGINE_RAM_H

#include "core/contract/hypervisor.h"
#include "core/state/record.h"

struct sf_err;
struct sf_job;

struct sf_ram_options {
	bool live;              /* as in sf_hypervisor_save() */
	uint64_t reserve_bytes; /* left free in the file system, to within 1 MiB */
};

/*
 * Saves the guest's RAM to dir/memory.sav, which must not exist (mode 0400). hooks as in
 * sf_hypervisor_save(). On success the file is complete but not yet durable; ret->host is untouched. On
 * failure the caller removes the partial file. -ENOSPC as soon as less than the reserve is free, no matter
 * who used the space.
 */
int sf_ram_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int dir,
		const struct sf_ram_options *options, const struct sf_save_hooks *hooks, struct sf_job *job,
		struct sf_record_memory *ret, struct sf_err *err);

/* fsync of dir/memory.sav and dir. */
int sf_ram_settle(int dir, struct sf_err *err);

/* Opens dir/memory.sav and returns the descriptor, at offset 0. -EIO if the size is not the recorded one. */
int sf_ram_open(int dir, const struct sf_record_memory *memory, struct sf_err *err);

/*
 * Reads the whole file and compares the hash. Rewinds fd on success. -EIO if the hash differs, -EINTR when
 * cancelled.
 */
int sf_ram_verify(int fd, const struct sf_record_memory *memory, struct sf_job *job, struct sf_err *err);

#endif
