/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses fault plans, and applies them to calls. */
#include "fault.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum action { ACT_FAIL, ACT_DELAY, ACT_HOLD, ACT_DIE, ACT_DIE_AFTER };

struct rule {
	char call[32];
	uint64_t count; /* 0: every call */
	enum action action;
	int code;          /* ACT_FAIL: a negative errno */
	uint64_t delay_ms; /* ACT_DELAY */
	const char *fifo;  /* ACT_HOLD: points into the plan's text */
	uint64_t seen;
};

struct sf_fault_plan {
	pthread_mutex_t lock; /* guards the observer and the rules' counts */
	void (*observe)(void *arg, const char *call);
	void *observe_arg;
	char *text; /* a copy of the plan, split in place */
	size_t nrules;
	struct rule rules[];
};

static const struct {
	const char *name;
	bool fails;
} known_calls[] = {
	{"storage.claims", true},        {"storage.volume_open", true},  {"storage.volume_close", false},
	{"storage.volume_stat", true},   {"storage.volume_read", true},  {"storage.volume_write", true},
	{"storage.hold", true},          {"storage.hold_check", true},   {"storage.release", false},
	{"storage.cost", true},          {"storage.create", true},       {"storage.settle", true},
	{"storage.stat", true},          {"storage.remove", true},       {"storage.list", true},
	{"storage.relabel", true},       {"storage.foreign", true},      {"storage.map", true},
	{"storage.notes", true},         {"storage.watch", true},        {"storage.image_open", true},
	{"storage.revert", true},        {"storage.recreate", true},     {"storage.space", true},
	{"storage.close", false},        {"hypervisor.list", true},      {"hypervisor.power", true},
	{"hypervisor.pause", true},      {"hypervisor.resume", true},    {"hypervisor.save", true},
	{"hypervisor.restore", true},    {"hypervisor.stop", true},      {"hypervisor.start", true},
	{"hypervisor.quiesce", true},    {"hypervisor.thaw", true},      {"hypervisor.host", true},
	{"hypervisor.check_host", true}, {"hypervisor.can_start", true}, {"hypervisor.check_disk", true},
	{"hypervisor.close", false},
};
#define NKNOWN (sizeof(known_calls) / sizeof(known_calls[0]))

/* --- Parsing a plan --- */

static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	for (; *text >= '0' && *text <= '9' && n <= max; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	if (*text || n == 0 || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* glibc cannot map a name to its number; Linux's errnos end at 133. */
static int parse_errno(const char *text)
{
	for (int code = 1; code <= 133; code++) {
		const char *name = strerrorname_np(code);

		if (name && strcmp(name, text) == 0)
			return -code;
	}
	return 0;
}

static int parse_call(struct rule *rule, const char *text, bool *ret_fails, struct sf_err *err)
{
	for (size_t i = 0; i < NKNOWN; i++) {
		if (strcmp(known_calls[i].name, text) == 0) {
			memcpy(rule->call, text, strlen(text) + 1);
			*ret_fails = known_calls[i].fails;
			return 0;
		}
	}
	return sf_fail(err, -EINVAL, "fault plan: there is no call '%s'", text);
}

static int parse_count(struct rule *rule, const char *text, struct sf_err *err)
{
	if (strcmp(text, "*") == 0 || parse_number(text, UINT32_MAX, &rule->count) == 0)
		return 0;
	return sf_fail(err, -EINVAL, "fault plan: '%s' is not a valid count for %s; use 1 or more, or *",
		       text, rule->call);
}

static int parse_action(struct rule *rule, const char *text, bool fails, struct sf_err *err)
{
	static const char delay[] = "delay:", hold[] = "hold:";

	rule->code = parse_errno(text);
	if (rule->code < 0 && !fails)
		return sf_fail(err, -EINVAL, "fault plan: %s cannot fail, with %s or otherwise", rule->call,
			       text);
	if (rule->code < 0)
		rule->action = ACT_FAIL;
	else if (strcmp(text, "die") == 0)
		rule->action = ACT_DIE;
	else if (strcmp(text, "die-after") == 0)
		rule->action = ACT_DIE_AFTER;
	else if (strncmp(text, delay, sizeof(delay) - 1) == 0 &&
		 parse_number(text + sizeof(delay) - 1, SF_FAULT_DELAY_MAX_MS, &rule->delay_ms) == 0)
		rule->action = ACT_DELAY;
	else if (strncmp(text, hold, sizeof(hold) - 1) == 0 && text[sizeof(hold) - 1]) {
		rule->action = ACT_HOLD;
		rule->fifo = text + sizeof(hold) - 1;
	} else
		return sf_fail(err, -EINVAL,
			       "fault plan: '%s' is not a valid action for %s; use an errno, "
			       "delay:1 to delay:%d, die, die-after or hold:FIFO",
			       text, rule->call, SF_FAULT_DELAY_MAX_MS);
	return 0;
}

/* Splits text in place. */
static int parse_rule(struct rule *rule, char *text, struct sf_err *err)
{
	char *at = strchr(text, '@'), *is = at ? strchr(at, '=') : NULL;
	bool fails = false;
	int rc;

	if (!is)
		return sf_fail(err, -EINVAL, "fault plan: '%s' is not CALL@COUNT=ACTION", text);
	*at = '\0';
	*is = '\0';
	rc = parse_call(rule, text, &fails, err);
	if (rc == 0)
		rc = parse_count(rule, at + 1, err);
	if (rc == 0)
		rc = parse_action(rule, is + 1, fails, err);
	return rc;
}

static int parse_rules(struct sf_fault_plan *plan, char *text, struct sf_err *err)
{
	int rc = 0;

	while (text && rc == 0) {
		char *rule = strsep(&text, ",");

		rc = parse_rule(&plan->rules[plan->nrules++], rule, err);
	}
	return rc;
}

static size_t count_rules(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

int sf_fault_plan_new(const char *text, struct sf_fault_plan **ret, struct sf_err *err)
{
	struct sf_fault_plan *plan;
	int rc = 0;

	plan = calloc(1, sizeof(*plan) + count_rules(text) * sizeof(plan->rules[0]));
	if (plan)
		plan->text = strdup(text);
	if (!plan || !plan->text) {
		free(plan);
		return sf_fail(err, -ENOMEM, "fault plan: out of memory");
	}
	pthread_mutex_init(&plan->lock, NULL);
	if (*plan->text)
		rc = parse_rules(plan, plan->text, err);
	if (rc < 0) {
		sf_fault_plan_free(plan);
		return rc;
	}
	*ret = plan;
	return 0;
}

void sf_fault_plan_free(struct sf_fault_plan *plan)
{
	if (!plan)
		return;
	pthread_mutex_destroy(&plan->lock);
	free(plan->text);
	free(plan);
}

void sf_fault_plan_observe(struct sf_fault_plan *plan, void (*fn)(void *arg, const char *call), void *arg)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&plan->lock);

	plan->observe = fn;
	plan->observe_arg = arg;
}

/* --- Applying a plan --- */

/* The first rule that applies to this call. All rules for it count it. */
static const struct rule *match(struct sf_fault_plan *plan, const char *call)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&plan->lock);
	const struct rule *found = NULL;

	for (size_t i = 0; i < plan->nrules; i++) {
		struct rule *rule = &plan->rules[i];

		if (strcmp(rule->call, call) != 0)
			continue;
		rule->seen++;
		if (!found && (rule->count == 0 || rule->count == rule->seen))
			found = rule;
	}
	return found;
}

static void delay(uint64_t ms)
{
	struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Does not wait for a writer to open it, so a test sees in /proc/PID/fd that the call has got here. */
static void hold(const char *fifo)
{
	auto_fd int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct pollfd writer = {.fd = fd, .events = POLLIN};

	while (fd >= 0 && poll(&writer, 1, -1) < 0 && errno == EINTR)
		;
}

/* Calls the observer without the lock, so it may wait, or set another observer. */
static void tell_observer(struct sf_fault_plan *plan, const char *call)
{
	void (*observe)(void *, const char *);
	void *arg;

	pthread_mutex_lock(&plan->lock);
	observe = plan->observe;
	arg = plan->observe_arg;
	pthread_mutex_unlock(&plan->lock);
	if (observe)
		observe(arg, call);
}

int sf_fault_before(struct sf_fault_plan *plan, struct sf_fault_call *call, struct sf_err *err)
{
	const struct rule *rule;

	tell_observer(plan, call->name);
	rule = match(plan, call->name);
	if (!rule)
		return 0;
	switch (rule->action) {
	case ACT_FAIL:
		return sf_fail(err, rule->code, "%s: %s, injected by the fault plan", call->name,
			       strerror(-rule->code));
	case ACT_DELAY:
		delay(rule->delay_ms);
		return 0;
	case ACT_HOLD:
		hold(rule->fifo);
		return 0;
	case ACT_DIE:
		_exit(SF_FAULT_EXIT);
	case ACT_DIE_AFTER:
		call->die_after = true;
		return 0;
	}
	return 0;
}

int sf_fault_after(const struct sf_fault_call *call, int rc)
{
	if (call->die_after)
		_exit(SF_FAULT_EXIT);
	return rc;
}
