"""Runs several ways of doing the same in turn and prints medians and ratios."""

import gc
import statistics
import time

from rich.console import Console
from rich.table import Table


def compare(ways, rounds, count, unit):
    """Times each way in turn, `rounds` times, and prints a table; the first way is the yardstick.

    Args:
        ways: dict from name to a function without arguments.
        rounds: int.
        count: how many things each way handles.
        unit: what they are called.
    """
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()  # what one way leaves behind must not run beside the next
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    yardstick = next(iter(medians.values()))
    table = Table("way", "median s", "all s", f"{unit}/s", "speed, first = 1")
    for name, median in medians.items():
        table.add_row(name, f"{median:.2f}", " ".join(f"{time_:.2f}" for time_ in seconds[name]), f"{count / median:,.0f}",
                      f"{yardstick / median:.2f}")
    Console(width=120).print(table)
