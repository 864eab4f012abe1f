/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_CONFIG = 256, OPT_STATE, OPT_HYPERVISOR, OPT_VM, OPT_RESCAN, OPT_FAULT };

static const struct option long_options[] = {
	{"foreground", no_argument, NULL, 'f'},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"state", required_argument, NULL, OPT_STATE},
	{"hypervisor", required_argument, NULL, OPT_HYPERVISOR},
	{"vm", required_argument, NULL, OPT_VM},
	{"rescan", optional_argument, NULL, OPT_RESCAN},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};
static const struct option helper_options[] = {{NULL, 0, NULL, 0}};

void sf_options_help(FILE *out)
{
	(void)fputs("Usage: snapfs [OPTIONS] [SOURCE] MOUNTPOINT\n"
		    "Mounts every VM of this host as a directory of snapshots: mkdir takes one, rmdir "
		    "deletes it,\n"
		    "`echo yes > VM/NAME/revert` reverts to it. See snapfs(8).\n"
		    "\n"
		    "  -f, --foreground       stay in the foreground and log to standard error\n"
		    "      --config FILE      configuration (default /etc/snapfs.conf, which may be "
		    "missing)\n"
		    "      --state DIR        where records and saved RAM are kept (default "
		    "/var/lib/snapfs)\n"
		    "      --hypervisor NAME  auto, xen, none or sim (default auto)\n"
		    "      --vm NAME=DISK[,DISK...]\n"
		    "                         show a VM with these disks, the boot disk first; may be "
		    "repeated.\n"
		    "                         DISK is the path of an image, or mem:SIZE for a test disk in "
		    "memory\n"
		    "      --rescan[=ID]      after the state directory was lost: rebuild records from the "
		    "volumes'\n"
		    "                         labels; ID: its identity, needed if the volumes carry "
		    "several\n"
		    "      --fault PLAN       for testing: fail, delay or die at named backend calls,\n"
		    "                         such as storage.create@1=EIO or "
		    "storage.create@*=delay:3000\n"
		    "  -o OPTION[,OPTION...]  mount options, as below; may be repeated\n"
		    "  -h, --help             show this text\n"
		    "  -V, --version          show the version\n"
		    "\n"
		    "Mount options:\n"
		    "  gid=GROUP              let this group read (with umask= and allow_other)\n"
		    "  umask=MASK             permissions to take away, octal (default 077)\n"
		    "  show_control           list the control files too\n"
		    "  allow_other            give access to users other than root\n"
		    "  config=FILE, state=DIR, hypervisor=NAME\n"
		    "                         as the long options, for fstab\n"
		    "  and those of mount.fuse3(8)\n"
		    "\n"
		    "SOURCE is what mount tables show (default snapfs). The command line overrides "
		    "-o, which overrides the\n"
		    "configuration file. SIGTERM unmounts.\n",
		    out);
}

static int fail_memory(struct sf_err *err)
{
	return sf_fail(err, -ENOMEM, "out of memory");
}

static int take_option(struct sf_options *options, int opt, const char *arg)
{
	switch (opt) {
	case 'f':
		options->foreground = true;
		break;
	case 'h':
		options->action = SF_ACTION_HELP;
		break;
	case 'V':
		options->action = SF_ACTION_VERSION;
		break;
	case 'o':
		options->mount_options[options->nmount_options++] = arg;
		break;
	case OPT_CONFIG:
		options->config = arg;
		break;
	case OPT_STATE:
		options->state = arg;
		break;
	case OPT_HYPERVISOR:
		options->hypervisor = arg;
		break;
	case OPT_VM:
		options->vms[options->nvms++] = arg;
		break;
	case OPT_RESCAN:
		options->rescan = true;
		options->rescan_id = arg;
		break;
	case OPT_FAULT:
		options->fault = arg;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

/* Options that mount(8) passes to a helper: -s (sloppy), -n (no mtab), -t and -v need nothing from us. */
static int take_helper_option(struct sf_options *options, int opt, const char *arg)
{
	if (opt == 'o')
		return take_option(options, opt, arg);
	if (opt == 'f')
		options->action = SF_ACTION_FAKE;
	return strchr("fnstv", opt) ? 0 : -EINVAL;
}

static int refuse_option(int opt, char **argv, struct sf_err *err)
{
	const char *given = argv[optind > 0 ? optind - 1 : 0];

	if (optopt > 0 && optopt < 256 && strncmp(given, "--", 2) != 0)
		return sf_fail(err, -EINVAL,
			       opt == ':' ? "option -%c needs an argument" : "unknown option -%c", optopt);
	return sf_fail(err, -EINVAL, opt == ':' ? "option %s needs an argument" : "unknown option %s", given);
}

static int take_operands(struct sf_options *options, int n, char **operands, struct sf_err *err)
{
	if (options->action == SF_ACTION_HELP || options->action == SF_ACTION_VERSION)
		return 0;
	if (n < 1)
		return sf_fail(err, -EINVAL, "no mount point given");
	if (n > 2)
		return sf_fail(err, -EINVAL, "too many arguments: '%s'", operands[2]);
	options->source = n == 2 ? operands[0] : NULL;
	options->mountpoint = operands[n - 1];
	return 0;
}

static bool is_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strncmp(slash ? slash + 1 : program, "mount.", 6) == 0;
}

static int parse(int argc, char **argv, struct sf_options *options, struct sf_err *err)
{
	bool helper = argc > 0 && is_helper(argv[0]);
	const struct option *known = helper ? helper_options : long_options;
	const char *letters = helper ? ":fno:st:v" : ":fo:hV";
	int opt, rc;

	optind = 1;
	while ((opt = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		rc = helper ? take_helper_option(options, opt, optarg) : take_option(options, opt, optarg);
		if (rc < 0)
			return refuse_option(opt, argv, err);
	}
	return take_operands(options, argc - optind, argv + optind, err);
}

int sf_options_parse(int argc, char **argv, struct sf_options *ret, struct sf_err *err)
{
	struct sf_options options = {.vms = calloc((size_t)argc + 1, sizeof(char *)),
				     .mount_options = calloc((size_t)argc + 1, sizeof(char *))};
	int rc = options.vms && options.mount_options ? parse(argc, argv, &options, err) : fail_memory(err);

	if (rc < 0)
		sf_options_fini(&options);
	else
		*ret = options;
	return rc;
}

void sf_options_fini(struct sf_options *options)
{
	free(options->vms);
	free(options->mount_options);
	memset(options, 0, sizeof(*options));
}
