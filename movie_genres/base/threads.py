"""Threads that work a little ahead of whoever takes what they return."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = min(32, (os.cpu_count() or 1) + 4)  # some wait for the disk
AHEAD = 4 * WORKERS  # items that are in work or done


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yields what a function returns of each item, in their order, and raises what it raises.

    Items are taken when their turn comes. `Executor.map` would take all of them first, and keep a kilobyte for each.

    >>> list(in_threads(str.upper, "abc"))
    ['A', 'B', 'C']
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
