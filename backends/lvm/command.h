/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs LVM commands, one of snapfs at a time on the whole host.
 *
 * The host's lock is a flock on a file in the run directory. The same file is the command's standard output,
 * so the lock lasts as long as the command, even if we die. A command is never killed: one that is late
 * continues, and the next command waits for it. Source: lvm(8).
 */
#ifndef SF_BACKENDS_LVM_COMMAND_H
#define SF_BACKENDS_LVM_COMMAND_H

struct sf_err;
struct sf_lvm;

/* Most arguments of one command. A create with all its tags has about 40. */
#define SF_LVM_ARGS_MAX 64

/*
 * Runs `lvm ARGV...` on a VG. argv[0] is the command, such as "lvcreate"; NULL ends it. ret_said (optional):
 * what it printed on standard output, allocated. When the command fails, its own message becomes the text,
 * and the errno follows from that message:
 * -ENODEV      there is no such VG
 * -ENOSPC, -EBUSY, -EEXIST, -ENOENT, -EPERM   as the message says
 * -ETIMEDOUT   it, or the command before it, has not ended at the deadline; it continues
 * -EIO         anything else
 */
int sf_lvm_run(struct sf_lvm *lvm, const char *vg, const char *const *argv, char **ret_said,
	       struct sf_err *err);

#endif
