"""Progress of long loops: a bar where stderr is a terminal, a log line now and then elsewhere."""

import logging
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)
console = Console(stderr=True)

LOG_EVERY = 30.0  # seconds between log lines


def track(items, total, description, log=True):
    """Yields `items` and shows how many of `total` (None where unknown) have passed.

    `log`: whether to log a line now and then where stderr is not a terminal.

    >>> list(track("abc", 3, "Reading"))
    ['a', 'b', 'c']
    """
    if not console.is_terminal:
        yield from _logged(items, total, description) if log else items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(description, total=total)
        for item in items:
            yield item
            progress.advance(task)


def _logged(items, total, description):
    due = time.monotonic() + LOG_EVERY
    for count, item in enumerate(items, start=1):
        yield item
        if time.monotonic() >= due:
            logger.info("%s: %s of %s", description, f"{count:,}", f"{total:,}" if total else "?")
            due = time.monotonic() + LOG_EVERY
