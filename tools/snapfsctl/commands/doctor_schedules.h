/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What snapfsctl doctor checks of the schedules in the configuration: when they ran, hooks, names of VMs. */
#ifndef SF_SNAPFSCTL_COMMANDS_DOCTOR_SCHEDULES_H
#define SF_SNAPFSCTL_COMMANDS_DOCTOR_SCHEDULES_H

struct sf_doctor;

/* The mount must be open. */
void sf_doctor_schedules(struct sf_doctor *doctor);

#endif
