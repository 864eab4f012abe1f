/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scripts/uml preloads this into linux.uml. It wraps ptrace(2), with which a User Mode Linux kernel runs its
 * processes, clone(2), with which it makes its own helpers, and timer_gettime(2), which it calls before it
 * sleeps.
 *
 * - PTRACE_SETREGSET of NT_X86_XSTATE requires the complete extended state of the CPU and fails with EFAULT
 * for anything less (xstateregs_set in the kernel's arch/x86/kernel/fpu/regset.c). UML kernels before 6.9
 * know only 2696 bytes of it and die at boot on CPUs that have more, for example AMX. The header, which is in
 * those bytes, marks the other components as unused, so the shim completes the state with zeros.
 * - The guest's processes end with its kernel, whatever ends it; otherwise they would run on as processes of
 * the host. The same holds for helpers, which write to the disks.
 * - On a busy machine UML 6.1 sometimes loses a tick. Nothing sets its timer again, so it spins in its idle
 * loop forever and everything that sleeps in it stays asleep. The shim sees the disarmed timer in
 * timer_gettime() and sends a further tick.
 *
 * Only one thread of linux.uml traces and clones, so the shim needs no lock.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OLDSETOPTIONS = 21 }; /* PTRACE_OLDSETOPTIONS, which <sys/ptrace.h> lacks */
enum { XSTATE_MAX = 64 * 1024 };
enum { HELPERS_MAX = 64 }; /* a slot is reused long after its helper has read it */

enum { TICK_NS = 10000000 }; /* the sleep of an idle kernel that has no timer */

typedef int clone_fn(int (*run)(void *), void *stack, int flags, void *arg, ...);
typedef int timer_gettime_fn(timer_t timer, struct itimerspec *ret);

static long set_whole_xstate(pid_t pid, const struct iovec *known)
{
	static char whole[XSTATE_MAX];
	static size_t size_bytes;
	struct iovec all = {whole, sizeof(whole)};

	if (size_bytes == 0) {
		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) < 0)
			return -1;
		memset(whole, 0, sizeof(whole));
		size_bytes = all.iov_len;
	}
	if (known->iov_len >= size_bytes) {
		errno = EFAULT;
		return -1;
	}
	memcpy(whole, known->iov_base, known->iov_len);
	all.iov_len = size_bytes;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

static long set_xstate(pid_t pid, const struct iovec *known)
{
	static int whole_only;
	long rc = -1;

	if (!whole_only)
		rc = syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, known);
	if (rc == 0 || (!whole_only && errno != EFAULT))
		return rc;
	whole_only = 1;
	return set_whole_xstate(pid, known);
}

/* Like glibc's ptrace(): the three PEEK requests return what they read, and -1 may be a value. */
static long peek(long request, pid_t pid, void *addr)
{
	long word;
	long rc = syscall(SYS_ptrace, request, pid, addr, &word);

	if (rc < 0)
		return rc;
	errno = 0;
	return word;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	pid_t pid;
	void *addr;
	void *data;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	switch ((int)request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		return peek(request, pid, addr);
	case PTRACE_SETREGSET:
		if ((unsigned long)addr == NT_X86_XSTATE)
			return set_xstate(pid, data);
		break;
	case PTRACE_SETOPTIONS:
	case OLDSETOPTIONS:
		data = (void *)((unsigned long)data | PTRACE_O_EXITKILL);
		break;
	default:
		break;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}

struct helper {
	int (*run)(void *);
	void *arg;
	pid_t kernel;
};

static int run_helper(void *arg)
{
	const struct helper *helper = arg;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* fails only for an invalid signal */
	if (getppid() != helper->kernel)
		return 1;
	return helper->run(helper->arg);
}

/*
 * A helper shares the kernel's memory. A process of the guest does not, and is traced from its first
 * instruction.
 */
int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	static struct helper helpers[HELPERS_MAX];
	static unsigned nhelpers;
	static clone_fn *real;
	struct helper *helper = &helpers[nhelpers % HELPERS_MAX];

	if (!real)
		real = (clone_fn *)dlsym(RTLD_NEXT, "clone");
	if (!(flags & CLONE_VM))
		return real(run, stack, flags, arg);
	nhelpers++;
	*helper = (struct helper){run, arg, getpid()};
	return real(run_helper, stack, flags, helper);
}

/* Only the idle loop calls it, with SIGALRM blocked, and sleeps if a timer is set. */
int timer_gettime(timer_t timer, struct itimerspec *ret)
{
	static const struct itimerspec tick = {.it_value = {.tv_nsec = TICK_NS}};
	static timer_gettime_fn *real;

	if (!real)
		real = (timer_gettime_fn *)dlsym(RTLD_NEXT, "timer_gettime");
	if (real(timer, ret) < 0)
		return -1;
	if (ret->it_value.tv_sec != 0 || ret->it_value.tv_nsec != 0)
		return 0;
	*ret = tick;
	return timer_settime(timer, 0, &tick, NULL);
}
