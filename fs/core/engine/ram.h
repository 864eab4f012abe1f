/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.sav: a guest's RAM on its way from the hypervisor into a file, hashed while it streams, and the
 * check of such a file. The hash is XXH3 128-bit, seed 0, in its canonical (big-endian) form; source: the
 * xxHash specification.
 */
#ifndef SF_CORE_ENGINE_RAM_H
#define SF_CORE_ENGINE_RAM_H

#include "core/contract/hypervisor.h"
#include "core/state/record.h"

struct sf_err;
struct sf_job;

struct sf_ram_options {
	bool live;              /* as in sf_hypervisor_save() */
	uint64_t reserve_bytes; /* left free in the file system, give or take a block of 1 MiB */
};

/*
 * Saves the guest's RAM to dir/memory.sav (made new, mode 0400). hooks as in sf_hypervisor_save(). The file
 * is complete and not yet durable on return; on failure what there is of it stays for the caller to remove.
 * ret's host stays as it is. -ENOSPC as soon as no more than the reserve is left, whoever took the rest.
 */
int sf_ram_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int dir,
		const struct sf_ram_options *options, const struct sf_save_hooks *hooks, struct sf_job *job,
		struct sf_record_memory *ret, struct sf_err *err);

/* fsync of dir/memory.sav and of dir. */
int sf_ram_settle(int dir, struct sf_err *err);

/* Opens dir/memory.sav; -EIO when its size is not the recorded one. Returns the descriptor, at offset 0. */
int sf_ram_open(int dir, const struct sf_record_memory *memory, struct sf_err *err);

/*
 * Reads all of it and compares the hash: -EIO when it differs. -EINTR when cancelled. fd is at offset 0
 * afterwards.
 */
int sf_ram_verify(int fd, const struct sf_record_memory *memory, struct sf_job *job, struct sf_err *err);

#endif
