/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include "names.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static struct {
	enum sf_log_level level;
	bool to_journal;
	atomic_bool to_syslog;
} log_state = {.level = SF_LOG_INFO};

/* Whether the service manager connected standard error to the journal; see JOURNAL_STREAM in systemd.exec(5).
 */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void sf_log_init(bool to_syslog)
{
	if (getenv("SNAPFS_DEBUG"))
		log_state.level = SF_LOG_DEBUG;
	log_state.to_journal = is_journal();
	if (to_syslog)
		sf_log_to_syslog();
}

void sf_log_to_syslog(void)
{
	openlog("snapfs", LOG_PID, LOG_DAEMON);
	atomic_store(&log_state.to_syslog, true);
}

bool sf_log_wants(enum sf_log_level level)
{
	return level <= log_state.level;
}

void sf_log(enum sf_log_level level, const char *fmt, ...)
{
	static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
	char line[2048];
	va_list args;

	if (!sf_log_wants(level))
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args); /* truncation is fine */
	va_end(args);
	sf_defuse(line); /* names and messages of peers must not forge a second line */
	if (atomic_load(&log_state.to_syslog))
		syslog(priority[level], "%s", line);
	else if (log_state.to_journal)
		(void)fprintf(stderr, "<%d>%s\n", priority[level], line); /* see sd-daemon(3) */
	else
		(void)fprintf(stderr, "snapfs: %s%s\n", word[level], line);
}
