# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports cases in TAP, as they end. A case that prints a TAP plan counts as the tests in it."""
import re
import sys
import threading

OUTPUT_MAX = 40000
FAR_MAX = 3  # lines of a case that say how far it came
TEST = re.compile(r"^(not )?ok\b *\d* *-? *(.*?) *(?:# *(skip\S*) *(.*))?$", re.M | re.I)
PLAN = re.compile(r"^1\.\.(\d+)(?: *# *skip\S* *(.*))?", re.M | re.I)


class Report:
    """Thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = self.failed = 0

    def result(self, ok, name, directive="", output=""):
        with self.lock:
            self.count += 1
            self.failed += not ok
            print(f"{'ok' if ok else 'not ok'} {self.count} - {name}{directive}")
            self.show(output)

    def skipped(self, name, reason):
        self.result(True, name, f" # SKIP {reason}")

    @staticmethod
    def show(output):
        if len(output) > OUTPUT_MAX:
            output = output[:OUTPUT_MAX // 2] + "\n[...]\n" + output[-OUTPUT_MAX // 2:]
        for line in output.splitlines():
            print("#   " + line)
        sys.stdout.flush()

    def note(self, text):
        with self.lock:
            print("# " + text, flush=True)

    def case(self, name, status, output, seconds, tap=None):
        """status: 0 passed, 77 skipped, 124 stopped by the time limit, else failed. tap: the text that may
        contain a plan; None: output.
        """
        tap = output if tap is None else tap
        plans = PLAN.findall(tap)
        tests = TEST.findall(tap) if plans else []
        failed = 0
        for bad, test, skip, reason in tests:
            if skip:
                self.skipped(f"{name}: {test or reason}", reason or "no reason given")
            else:
                failed += bool(bad)
                self.result(not bad, f"{name}: {test}")
        reason = None
        if status == 124:
            reason = "time limit"
        elif status not in (0, 77):
            reason = f"status {status}"
        elif plans and len(tests) != sum(int(n) for n, _ in plans):
            reason = f"{len(tests)} of {sum(int(n) for n, _ in plans)} tests reported"
        if reason and failed:
            self.show(f"{name}: {reason}; all that it printed:\n{output}")
        elif reason or failed:
            self.result(False, f"{name} ({reason or 'a test failed'})", output=output)
        elif status == 77:
            lines = output.strip().splitlines() or ["no reason given"]
            self.skipped(name, lines[-1].removeprefix("skipped: "))
        elif plans and not tests and plans[0][1]:
            self.skipped(name, plans[0][1])
        elif plans and not tests:
            self.result(False, f"{name} (it ran no test)", output=output)
        elif not plans:
            self.result(True, name)
        how_far = re.findall("^# (.*no time left: .*)", output, re.M)
        for line in how_far[:FAR_MAX]:
            self.note(f"{name}: {line}")
        if len(how_far) > FAR_MAX:
            self.note(f"{name}: {len(how_far) - FAR_MAX} more had no time left")
        self.note(f"{name}: {seconds:.1f} s")

    def end(self):
        """Prints the plan. Returns the exit status: 0 if there was at least one result and nothing failed."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed or self.count == 0 else 0
