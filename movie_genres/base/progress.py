"""Progress of long loops: a bar where stderr is a terminal, a log line now and then elsewhere."""

import logging
import time
from collections.abc import Generator, Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")

logger = logging.getLogger(__name__)
console = Console(stderr=True)

LOG_EVERY = 30.0  # seconds between log lines


def track(items: Iterable[Item], total: int | None, description: str, log: bool = True) -> Generator[Item, None, None]:
    """Yields `items` and shows how many of `total` (None where unknown) have passed.

    Where stderr is not a terminal, `log` decides whether a line is logged now and then.

    >>> list(track("abc", 3, "Reading"))
    ['a', 'b', 'c']
    """
    if not console.is_terminal:
        yield from _logged(items, total, description) if log else items
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(description, total=total)
        for item in items:
            yield item
            progress.advance(task)


def _logged(items: Iterable[Item], total: int | None, description: str) -> Generator[Item, None, None]:
    due = time.monotonic() + LOG_EVERY
    for count, item in enumerate(items, start=1):
        yield item
        if time.monotonic() >= due:
            logger.info("%s: %s of %s", description, f"{count:,}", f"{total:,}" if total else "?")
            due = time.monotonic() + LOG_EVERY
