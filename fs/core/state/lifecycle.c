/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lifecycle.h"

struct row {
	enum sf_life state;
	enum sf_event event;
	struct sf_step step;
};

/* clang-format off */
#define UNDO_CREATE {SF_ACT_RESUME, SF_ACT_THAW, SF_ACT_WRITE_RESUMED, SF_ACT_DROP_DISKS, SF_ACT_DROP_RECORD}
#define UNDO_REVERT {SF_ACT_RESUME, SF_ACT_DROP_SAFETY, SF_ACT_DROP_PLAN}

static const struct row rows[] = {
	{SF_LIFE_ABSENT, SF_EVENT_BEGIN,
	 {SF_LIFE_CREATING, 6,
	  {SF_ACT_WRITE_RECORD, SF_ACT_QUIESCE, SF_ACT_TAKE, SF_ACT_RESUME, SF_ACT_THAW, SF_ACT_SETTLE}}},
	{SF_LIFE_CREATING, SF_EVENT_DONE, {SF_LIFE_READY, 2, {SF_ACT_WRITE_RECORD, SF_ACT_PUBLISH}}},
	{SF_LIFE_CREATING, SF_EVENT_FAILED, {SF_LIFE_ABSENT, 5, UNDO_CREATE}},
	{SF_LIFE_CREATING, SF_EVENT_FOUND, {SF_LIFE_ABSENT, 5, UNDO_CREATE}},
	{SF_LIFE_READY, SF_EVENT_FOUND, {SF_LIFE_READY, 2, {SF_ACT_VERIFY, SF_ACT_PUBLISH}}},
	{SF_LIFE_READY, SF_EVENT_DELETE, {SF_LIFE_DELETING, 1, {SF_ACT_HIDE}}},
	{SF_LIFE_DELETING, SF_EVENT_UNUSED,
	 {SF_LIFE_ABSENT, 3, {SF_ACT_DROP_DISKS, SF_ACT_DROP_RECORD, SF_ACT_FORGET}}},
	{SF_LIFE_DELETING, SF_EVENT_FOUND, {SF_LIFE_ABSENT, 2, {SF_ACT_DROP_DISKS, SF_ACT_DROP_RECORD}}},

	{SF_LIFE_IDLE, SF_EVENT_BEGIN, {SF_LIFE_PREPARED, 2, {SF_ACT_WRITE_PLAN, SF_ACT_SAFETY}}},
	{SF_LIFE_PREPARED, SF_EVENT_DONE, {SF_LIFE_STOPPING, 2, {SF_ACT_WRITE_PLAN, SF_ACT_STOP}}},
	{SF_LIFE_PREPARED, SF_EVENT_FAILED, {SF_LIFE_IDLE, 3, UNDO_REVERT}},
	{SF_LIFE_PREPARED, SF_EVENT_FOUND, {SF_LIFE_IDLE, 3, UNDO_REVERT}},
	{SF_LIFE_SWITCHING, SF_EVENT_DONE, {SF_LIFE_POWERING, 2, {SF_ACT_WRITE_PLAN, SF_ACT_POWER}}},
	{SF_LIFE_STOPPING, SF_EVENT_DONE, {SF_LIFE_SWITCHING, 2, {SF_ACT_WRITE_PLAN, SF_ACT_SWAP}}},
	{SF_LIFE_STOPPING, SF_EVENT_FAILED, {SF_LIFE_PREPARED, 2, {SF_ACT_RESUME, SF_ACT_WRITE_PLAN}}},
	{SF_LIFE_SWITCHING, SF_EVENT_FOUND, {SF_LIFE_SWITCHING, 1, {SF_ACT_SWAP}}},
	{SF_LIFE_POWERING, SF_EVENT_DONE, {SF_LIFE_IDLE, 1, {SF_ACT_DROP_PLAN}}},
	{SF_LIFE_POWERING, SF_EVENT_FOUND, {SF_LIFE_POWERING, 1, {SF_ACT_POWER}}},
};
/* clang-format on */

const struct sf_step *sf_lifecycle(enum sf_life state, enum sf_event event)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].state == state && rows[i].event == event)
			return &rows[i].step;
	return NULL;
}

const char *sf_life_name(enum sf_life state)
{
	static const char *const names[] = {"absent",   "creating", "ready",     "deleting", "idle",
					    "prepared", "stopping", "switching", "powering"};

	return names[state];
}

const char *sf_event_name(enum sf_event event)
{
	static const char *const names[] = {"begin", "done", "failed", "found", "delete", "unused"};

	return names[event];
}

const char *sf_action_name(enum sf_action action)
{
	static const char *const names[] = {"write-record", "quiesce",       "take",       "resume",
					    "thaw",         "write-resumed", "settle",     "publish",
					    "verify",       "hide",          "drop-disks", "drop-record",
					    "forget",       "write-plan",    "safety",     "drop-safety",
					    "stop",         "swap",          "power",      "drop-plan"};

	return names[action];
}
