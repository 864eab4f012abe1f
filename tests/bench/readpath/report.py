# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints medians, spread and ratios as a Markdown table, and draws them as bars."""
import platform
import statistics


def median(samples):
    return statistics.median(sample.value for sample in samples)


def cpu_per_gb(samples):
    return statistics.median(sample.cpu_s / (sample.bytes / 1e9) for sample in samples if sample.bytes)


def figure(load, samples):
    values = sorted(sample.value for sample in samples)
    shape = "{:.3f}" if load.unit == "s" else "{:.0f}"
    return f"{shape} ({shape}–{shape})".format(median(samples), values[0], values[-1])


def met(load, ratio, goal):
    return ratio <= goal if load.less_is_better else ratio >= goal


def goal_lines(load, results, ours):
    for rival, goal in load.goals:
        if rival not in results or ours not in results:
            continue
        ratio = median(results[ours]) / median(results[rival])
        sign = "<=" if load.less_is_better else ">="
        yield f"{load.title}: {ratio:.2f} of {rival}, goal {sign} {goal}: {'met' if met(load, ratio, goal) else 'NOT MET'}"


def machine():
    with open("/proc/cpuinfo") as f:
        model = next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    with open("/proc/meminfo") as f:
        gib = int(f.readline().split()[1]) / (1 << 20)
    return f"{len_cpus()} x {model}, {gib:.0f} GiB, Linux {platform.release().split('-')[0]}"


def len_cpus():
    import os
    return len(os.sched_getaffinity(0))


def table(results, names):
    yield "| load | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for load, by_name in results:
        cells = [figure(load, by_name[name]) if name in by_name else "" for name in names]
        yield f"| {load.title}, {load.unit} | " + " | ".join(cells) + " |"


def cpu_table(results, names):
    yield "| CPU seconds per GB, reader and daemon | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for load, by_name in results:
        if load.unit == "MB/s" and not load.device_limit:
            cells = [f"{cpu_per_gb(by_name[name]):.2f}" if name in by_name else "" for name in names]
            yield f"| {load.title} | " + " | ".join(cells) + " |"


def draw(results, names, directory):
    """Draws read.svg and read.png: a group of bars for each load, each bar relative to the fastest of its
    group.
    """
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    matplotlib.rcParams["svg.fonttype"] = "none"

    rows = [(load, by_name) for load, by_name in results if len(by_name) > 1]
    colours = dict(zip(names, ("#1b6ca8", "#9aa5b1", "#5c6b7a", "#e08e45", "#b85c8e", "#6aa84f", "#a89f1b")))
    fig, axes = plt.subplots(figsize=(10, 0.62 * len(rows) + 1.6))
    ticks = []
    for row, (load, by_name) in enumerate(rows):
        shown = [name for name in names if name in by_name]
        speed = {name: 1 / median(by_name[name]) if load.less_is_better else median(by_name[name]) for name in shown}
        for n, name in enumerate(shown):
            height = 0.8 / len(shown)
            at = row - 0.4 + height * (n + 0.5)
            part = speed[name] / max(speed.values())
            axes.barh(at, part, height * 0.92, color=colours[name])
            value = median(by_name[name])
            text = f"{value:.2f} s" if load.less_is_better else f"{value:,.0f} {load.unit}"
            axes.text(part + 0.005, at, text, va="center", fontsize=6.5, color="#333333")
        ticks.append(load.title)
    axes.set_yticks(range(len(rows)), ticks, fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.12)
    axes.set_xticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    handles = [matplotlib.patches.Patch(color=colours[name], label=name) for name in names]
    axes.legend(handles=handles, ncol=len(names), loc="lower center", bbox_to_anchor=(0.4, 1.0), frameon=False, fontsize=8)
    fig.text(0.01, 0.005, f"Speed as part of the fastest in its row; longer is better. {machine()}.", fontsize=7, color="#555555")
    fig.tight_layout(rect=(0, 0.015, 1, 1))
    for kind in ("svg", "png"):
        fig.savefig(f"{directory}/read.{kind}", dpi=130, metadata={"Date": None} if kind == "svg" else None)
    plt.close(fig)
