"""Threads that work a little ahead of whoever takes what they return."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = min(32, (os.cpu_count() or 1) + 4)  # some wait for the disk
AHEAD = 4 * WORKERS  # items that are in work or done, by default: for results that are small


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], ahead: int = AHEAD
               ) -> Generator[Result, None, None]:
    """Yields what a function returns of each item, in their order, and raises what it raises.

    Items are taken when their turn comes: at most `ahead`, at least 1, are in work or done, and results as many are in
    memory. `Executor.map` would take all of them first, and keep a kilobyte for each. Who leaves early closes the generator
    (`contextlib.closing`): what has not begun is dropped then.

    >>> list(in_threads(str.upper, "abc"))
    ['A', 'B', 'C']
    """
    pool = ThreadPoolExecutor(WORKERS)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
