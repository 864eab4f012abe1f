/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "interrupt.h"

#include "tools/snapfsctl/show/say.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;
static volatile sig_atomic_t noted; /* the signal */

/* Those that sf_interrupt_pass_on() sends, with SI_TKILL, only interrupt the blocked call. */
static void on_interrupt(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code == SI_TKILL)
		return;
	noted = signal;
	if (++interrupts > 1)
		_exit(SF_EXIT_FAILED);
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define NSIGNALS (sizeof(signals) / sizeof(signals[0]))

void sf_interrupt_catch(void)
{
	struct sigaction interrupt = {.sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO};

	for (size_t i = 0; i < NSIGNALS; i++) {
		struct sigaction before;

		(void)sigaction(signals[i], NULL, &before); /* these exist */
		if (before.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &interrupt, NULL);
	}
}

void sf_interrupt_block_others(sigset_t *ret_before)
{
	sigset_t others;

	(void)sigfillset(&others);
	for (size_t i = 0; i < NSIGNALS; i++)
		(void)sigdelset(&others, signals[i]);
	(void)pthread_sigmask(SIG_SETMASK, &others, ret_before);
}

void sf_interrupt_pass_on(pthread_t thread)
{
	(void)pthread_kill(thread, noted); /* the thread exists */
}

bool sf_interrupted(void)
{
	return interrupts > 0;
}

void sf_interrupt_forget(void)
{
	interrupts = 0;
}
