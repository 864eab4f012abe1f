/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machines of a snapshot and of a revert, as pure functions: (state, event) -> next state and
 * ordered actions. The engine runs the actions. The same rows serve a failing operation and the recovery
 * after a crash. An action whose object does not exist is a no-op (no lease: no guest to resume).
 *
 * A snapshot. Its state is its record on disk (absent: no record):
 *
 *   state     event    next      actions
 *   absent    begin    creating  write-record quiesce take resume thaw settle
 *   creating  done     ready     write-record publish
 *   creating  failed   absent    resume thaw write-resumed drop-disks drop-record
 *   creating  found    absent    resume thaw write-resumed drop-disks drop-record
 *   ready     found    ready     verify publish
 *   ready     delete   deleting  hide
 *   deleting  unused   absent    drop-disks drop-record forget
 *   deleting  found    absent    drop-disks drop-record
 *
 * A revert. Its state is its plan on disk (idle: no plan). Once the guest was stopped or a disk replaced, a
 * failure leads back to the safety snapshot: the engine writes a plan that aims at it, and handles that plan
 * like any other it finds. Before that it is one of stopping, even if the plan already says switching:
 *
 *   state      event   next       actions
 *   idle       begin   prepared   write-plan safety
 *   prepared   done    stopping   write-plan stop
 *   prepared   failed  idle       resume drop-safety drop-plan
 *   prepared   found   idle       resume drop-safety drop-plan
 *   stopping   done    switching  write-plan swap
 *   stopping   failed  prepared   resume write-plan
 *   switching  done    powering   write-plan power
 *   switching  found   switching  swap
 *   powering   done    idle       drop-plan
 *   powering   found   powering   power
 *
 * A plan found in state stopping counts as done if the guest is off by now, and as failed otherwise: no disk
 * was replaced yet, and the guest may be running on purpose.
 */
#ifndef SF_CORE_STATE_LIFECYCLE_H
#define SF_CORE_STATE_LIFECYCLE_H

#include <stddef.h>

enum sf_life {
	SF_LIFE_ABSENT,
	SF_LIFE_CREATING,
	SF_LIFE_READY,
	SF_LIFE_DELETING,
	SF_LIFE_IDLE,
	SF_LIFE_PREPARED,
	SF_LIFE_STOPPING,
	SF_LIFE_SWITCHING,
	SF_LIFE_POWERING,
};

enum sf_event {
	SF_EVENT_BEGIN,
	SF_EVENT_DONE,   /* every action of the previous row succeeded */
	SF_EVENT_FAILED, /* one of them failed */
	SF_EVENT_FOUND,  /* the state was found after a crash */
	SF_EVENT_DELETE,
	SF_EVENT_UNUSED, /* the last reader closed */
};

enum sf_action {
	SF_ACT_WRITE_RECORD, /* the record, in the row's next state, durably */
	SF_ACT_QUIESCE,
	SF_ACT_TAKE, /* pause the guest under a lease, save its RAM, snapshot its disks */
	SF_ACT_RESUME,
	SF_ACT_THAW,
	SF_ACT_WRITE_RESUMED, /* the record: the guest was resumed, so a retry does not do it again */
	SF_ACT_SETTLE,        /* make disks and RAM durable */
	SF_ACT_PUBLISH,
	SF_ACT_VERIFY,
	SF_ACT_HIDE, /* remove the name, durably */
	SF_ACT_DROP_DISKS,
	SF_ACT_DROP_RECORD,
	SF_ACT_FORGET,
	SF_ACT_WRITE_PLAN, /* the plan, in the row's next state, durably */
	SF_ACT_SAFETY,     /* snapshot the state being left; the guest stays paused */
	SF_ACT_DROP_SAFETY,
	SF_ACT_STOP,
	SF_ACT_SWAP,  /* give the volumes the snapshot's content */
	SF_ACT_POWER, /* restore RAM and power state as requested */
	SF_ACT_DROP_PLAN,
};

#define SF_ACTIONS_MAX 6

struct sf_step {
	enum sf_life next;
	size_t nactions;
	enum sf_action actions[SF_ACTIONS_MAX];
};

/* The row for (state, event); NULL when there is none, which is a bug in the caller. */
const struct sf_step *sf_lifecycle(enum sf_life state, enum sf_event event);

/* The words of the table above. */
const char *sf_life_name(enum sf_life state);
const char *sf_event_name(enum sf_event event);
const char *sf_action_name(enum sf_action action);

#endif
