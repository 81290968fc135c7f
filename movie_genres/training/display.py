"""Shows a training as it runs: a live table on a terminal, a log line an epoch elsewhere."""

import logging
import time
from pathlib import Path
from typing import Any, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from movie_genres.base.errors import MissingPackageError
from movie_genres.base.progress import console

logger = logging.getLogger(__name__)

SHOWN_EPOCHS = 12


class TrainingDisplay:
    """A context manager around a training; `step_done` moves its bar, `epoch_done` adds a line.

    An epoch has so many steps; so many epochs of an interrupted training are done. The losses are shown beside `base_loss`.
    """

    def __init__(self, name: str, epochs: int, steps: int, base_loss: float, done: int = 0):
        self.name, self.epochs, self.steps, self.base_loss = name, epochs, steps, base_loss
        self._rows: list[tuple[str, ...]] = []
        self._progress = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                                  TextColumn("{task.fields[speed]}"), TimeElapsedColumn())
        self._task = self._progress.add_task(f"{name} epoch {done + 1}/{epochs}", total=steps, speed="")
        self._live = Live(self._render(), console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        else:
            logger.info("%s: training for up to %d epochs of %d steps; base-rate validation loss %.4f", self.name,
                        self.epochs, self.steps, self.base_loss)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._live.stop()

    def step_done(self, batch: int, logs: dict[str, Any]) -> None:
        """Moves the bar; a callback of Keras after each batch."""
        self._progress.update(self._task, completed=batch + 1, speed=f"loss {logs['loss']:.4f}")

    def epoch_done(self, row: dict[str, Any], best: dict[str, Any], seconds: float, input_seconds: float) -> None:
        """Adds the figures of an epoch; `best` are those of the one with the lowest validation loss so far.

        Making its batches took `input_seconds`: as long as the epoch where the training waits for them.
        """
        left = seconds * (self.epochs - row["epoch"])
        cells = (f"{row['epoch']}/{self.epochs}", f"{row['loss']:.4f}", f"{row['val_loss']:.4f}",
                 f"{1 - row['val_loss'] / self.base_loss:+.1%}", _share(row["val_precision"]), _share(row["val_recall"]),
                 f"{best['val_loss']:.4f} ({best['epoch']})", f"{seconds:.1f} s", f"{input_seconds / seconds:.0%}",
                 time.strftime("%H:%M:%S", time.gmtime(left)))
        if self._live:
            self._rows.append(cells)
            if row["epoch"] < self.epochs:
                self._progress.reset(self._task, description=f"{self.name} epoch {row['epoch'] + 1}/{self.epochs}")
            self._live.update(self._render())
        else:
            logger.info("%s: epoch %s loss %s, validation loss %s skill %s precision %s recall %s, best %s, %s (input %s)",
                        self.name, *cells[:9])

    def _render(self) -> Group:
        table = Table("epoch", "loss", "val loss", "skill", "precision", "recall", "best (epoch)", "time", "input",
                      "left at most",
                      title=f"{self.name}: base-rate validation loss {self.base_loss:.4f}", title_justify="left")
        for cells in self._rows[-SHOWN_EPOCHS:]:
            table.add_row(*cells)
        return Group(table, self._progress)


class LiveLog:
    """Hands the figures of epochs to DVCLive, which writes to the folder anew; `rows` are those before an interruption.

    Raises:
        MissingPackageError: DVCLive is not installed.
    """

    def __init__(self, folder: Path, rows: list[dict[str, Any]]):
        try:
            from dvclive import Live
        except ImportError:
            raise MissingPackageError("Following a training with DVCLive", "dvclive", "dvclive") from None
        # Beside the folder: inside it, DVCLive would add its entries once more each epoch; in the root, edit our pipeline.
        self._live = Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=str(folder.parent / "dvc.yaml"))
        for row in rows:
            self.epoch_done(row)

    def epoch_done(self, row: dict[str, Any]) -> None:
        """Adds an epoch's figures; None is left out."""
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self._live.log_metric(name, value)
        self._live.next_step()


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
