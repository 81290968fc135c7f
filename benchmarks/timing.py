"""Runs several ways of doing the same in turn and prints medians and ratios."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table


def compare(ways: Mapping[str, Callable[[], object]], rounds: int, count: int, unit: str) -> None:
    """Times each way in turn, `rounds` times, and prints a table; the first way is the yardstick.

    `count` is how many things each way handles, `unit` what they are called.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
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
