# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides which cases of a lane run, in which order, and until when. Knows neither meson nor machines.

scripts/test runs every lane in two phases: first the essential cases of all lanes, which tests/essential
lists, then the rest. The plan is passed in the environment:
    SNAPFS_TEST_PHASE    "essential" or "rest"; unset: all cases
    SNAPFS_TEST_UNTIL    no case begins after this time, in seconds since the epoch; unset: no limit
    SNAPFS_TEST_WHY      the skip reason of cases that did not run
    SNAPFS_TEST_TURN     where the order of the rest begins; a number derived from the commit
    SNAPFS_SLOWNESS      the factor for time limits
"""
import fnmatch
import os
import time

ESSENTIAL = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "essential")
# A case that is running when the time is over is stopped after this grace period.
GRACE_S = 60


def slowness():
    return max(1, int(os.environ.get("SNAPFS_SLOWNESS", "1")))


def read_essential(path=ESSENTIAL):
    """Returns {lane: [pattern]}. Each line is `lane: pattern...`; lines of the same lane add up; # begins a
    comment.
    """
    found = {}
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            line = line.partition("#")[0].strip()
            if not line:
                continue
            lane, colon, patterns = line.partition(":")
            if not colon or not patterns.split():
                raise ValueError(f"{path}:{number}: expected 'lane: case...'")
            found.setdefault(lane.strip(), []).extend(patterns.split())
    return found


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def phase_of(names, phase, patterns):
    """The names that belong to the phase, in the given order. Every name belongs to exactly one phase."""
    if not phase:
        return list(names)
    if phase not in ("essential", "rest"):
        raise ValueError(f"SNAPFS_TEST_PHASE is '{phase}'")
    return [name for name in names if matches(name, patterns) == (phase == "essential")]


def rotated(names, turn):
    """The names in an order that begins at a case selected by turn, so that each commit begins elsewhere."""
    names = sorted(names)
    start = turn % len(names) if names else 0
    return names[start:] + names[:start]


def ordered(names, turn, length):
    """The longest cases first if there is time for all, so that parallel jobs end together; otherwise the
    rotation decides.
    """
    names = rotated(names, turn)
    return sorted(names, key=length, reverse=True) if slowness() == 1 else names


class Time:
    """Until when cases may begin, and how long they may run."""

    def __init__(self, until=None, why="no time left", now=time.time):
        self.until, self.why, self.now = until, why, now

    @classmethod
    def of_environment(cls):
        until = os.environ.get("SNAPFS_TEST_UNTIL")
        return cls(float(until) if until else None, os.environ.get("SNAPFS_TEST_WHY") or "no time left")

    def over(self):
        return self.until is not None and self.now() >= self.until

    def left(self):
        """Seconds until running cases are stopped; None: no limit."""
        return None if self.until is None else max(0.0, self.until + GRACE_S - self.now())

    def limit(self, limit_s):
        """Returns (the seconds a case with this limit may run, whether it has failed if it is stopped after
        them).
        """
        left = self.left()
        if left is None or limit_s <= left:
            return limit_s, True
        return left, False


def turn():
    return int(os.environ.get("SNAPFS_TEST_TURN", "0"))


def plan(lane, names, length=lambda name: 0):
    """The cases of this phase of the lane, in the order in which they begin."""
    wanted = phase_of(names, os.environ.get("SNAPFS_TEST_PHASE"), read_essential().get(lane, []))
    return ordered(wanted, turn(), length)
