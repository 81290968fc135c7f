"""The files of a scoring job: shards that are staged, and an output that is whole or not there.

Each shard is written to a temporary file, which reaches the disk, is renamed, and only then is marked as done; with it are
counts of its films. When all are there, the output is made visible, and a record of what it was made from with it; and a
summary of the films, if one is wanted.
"""

import contextlib
import json
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from movie_genres.base.errors import InputError, Remedy, UserError
from movie_genres.base.files import StrPath, file_digest, locked, replacing, sync_folder
from movie_genres.ensemble.film_counts import FilmCounts
from movie_genres.ensemble.film_summaries import SummaryFile
from movie_genres.scoring.records import Binding, Counts, Record, Shard, Tally, read_record
from movie_genres.scoring.rows import FORMATS, Cells, Row, RowFormat, merge_parts, write_part

SETTINGS, COMMIT, GUARD = "job.json", "commit.json", "guard"
OWN = re.compile(r"guard|lock(-\d+)?|job\.json|commit\.json|merged|\d{5,}\.(done|counts)|part-\d{5,}\..+|\.partial-.+")
PART = re.compile(rf"part-(\d{{5,}})\.({'|'.join(map(re.escape, FORMATS))})")
GUARD_SECONDS = 60  # what another machine may need to begin a job or to make an output visible

logger = logging.getLogger(__name__)


class Line(NamedTuple):
    """A row as it is written. `identity`: see `catalogue.Entry`; `row`: what its cells were made of, if it was scored."""

    status: str
    identity: bytes
    cells: Cells
    row: Row | None = None


def write_lines(lines: Iterable[Line], path: Path, layout: RowFormat) -> Tally:
    """Writes a file as `rows.write_part` does."""
    tally = Tally()

    def counted() -> Iterator[Cells]:
        for line in lines:
            tally.add(line.status, line.identity, line.row)
            yield line.cells

    write_part(counted(), path, layout)
    tally.flush()
    return tally


class JobFiles:
    """Where the files of a job are, and what is in them.

    `is_folder`: whether `out` is a folder for parts, `part-00000.csv` and so on, a part for each shard.
    `summary`: what is written of the films when the output is made visible; None: nothing. `summarised`: whether it was.
    """

    def __init__(self, out: StrPath, layout: RowFormat, shard_size: int, is_folder: bool = False,
                 summary: SummaryFile | None = None) -> None:
        self.summary, self.summarised = summary, False
        self.out, self.layout, self.shard_size, self.is_folder = Path(os.path.realpath(out)), layout, shard_size, is_folder
        self.state = self.out / ".job" if is_folder else Path(f"{self.out}.job")
        self._over = Path(f"{self.state}.over")
        self._success = self.out / "_SUCCESS" if is_folder else self.out.with_name(f".{self.out.name}.success")

    def owns(self, path: str) -> bool:
        """Whether a path belongs to the output or to what the job keeps beside it."""
        name = os.path.basename(path)
        summary = self.summary.path if self.summary else self.out
        if not (".job" in path or name in (self.out.name, self._success.name, summary.name)
                or PART.fullmatch(name)):
            return False  # most paths, without looking at the disk
        real = Path(os.path.realpath(os.path.dirname(path))) / name
        inside = {self.state, self._over} & {real, *real.parents}
        return bool(inside or real in (self._success, summary)
                    or (self._is_part(real) if self.is_folder else real == self.out))

    def _is_part(self, path: Path) -> bool:
        return path.parent == self.out and PART.fullmatch(path.name) is not None

    @property
    def outputs(self) -> list[Path]:
        """The files of the output that is there, in order."""
        if not self.is_folder:
            return [self.out] if self.out.exists() else []
        found = [path for path in self.out.iterdir() if self._is_part(path)] if self.out.is_dir() else []
        return sorted(found, key=lambda path: (int(path.name[5:].partition(".")[0]), path.name))

    def check_output(self) -> None:
        """Raises `UserError` where there is an output."""
        if self.outputs or (self.is_folder and self._success.exists()):  # a folder of no films has no parts
            raise UserError(f"{self.out}: there is an output already.", Remedy.REPLACE)

    def check_folders(self) -> None:
        """Raises `InputError` where a link, or what no job has put there, is in the way."""
        for folder in (self.state, self._over):
            found = "a link" if os.path.islink(folder) else ""
            if folder.is_dir() and not found:
                foreign = [entry.name for entry in os.scandir(folder)
                           if not (OWN.fullmatch(entry.name) and entry.is_file(follow_symlinks=False))]
                found = f"also {min(foreign)}" if foreign else ""
            if found:
                raise InputError(folder, "a folder of a job, with nothing else in it", found, "Move it away.")

    def locked(self, name: str, timeout: float = GUARD_SECONDS) -> AbstractContextManager[None]:
        """Holds a lock of the job; see `files.locked`."""
        try:
            for folder in [self.out, self.state] if self.is_folder else [self.state]:
                folder.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError(self.state, "a folder for the job", "a file of that name", "Move it away.") from None
        return locked(self.state / name, f"{self.out}: another process is working on this output.", timeout)

    @property
    def has_begun(self) -> bool:
        """Whether there is a job to go on with."""
        return (self.state / SETTINGS).exists()

    def binding(self) -> dict[str, Any]:
        """What the job that has begun is bound to; raises `InputError` where that cannot be read."""
        return read_record(self.state / SETTINGS, Binding).root

    def start_anew(self, binding: dict[str, Any]) -> None:
        """Throws away what is staged, and begins a job."""
        (self.state / SETTINGS).unlink(missing_ok=True)
        for path in self.state.iterdir():
            if path.suffix in (".done", ".counts") or PART.fullmatch(path.name) or path.name.startswith(".partial-"):
                path.unlink()
        self._save(self.state / SETTINGS, json.dumps(binding, indent=2) + "\n")

    def _save(self, path: Path, text: str) -> None:
        with replacing(path, self.state) as partial:
            partial.write_text(text, encoding="utf-8")

    def remove_partials(self) -> None:
        """Removes what a killed process has left half-written."""
        for partial in self.state.glob(".partial-*"):
            partial.unlink()

    def remove_if_empty(self, lock: str, with_out: bool) -> None:
        """Removes the folder of a job that did not begin, and the folder for its parts where that was made for it."""
        if self.state.is_dir() and {path.name for path in self.state.iterdir()} <= {GUARD, lock}:
            shutil.rmtree(self.state, ignore_errors=True)
            if with_out:
                with contextlib.suppress(OSError):
                    self.out.rmdir()

    def _part(self, number: int) -> Path:
        return self.state / f"part-{number:05}.{self.layout.format}"

    def _marker(self, number: int) -> Path:
        return self.state / f"{number:05}.done"

    def _counts(self, number: int) -> Path:
        return self.state / f"{number:05}.counts"

    def done(self, number: int) -> Shard | None:
        """None while a shard is not done, or where what was done is damaged."""
        try:
            shard = read_record(self._marker(number), Shard)
            read_record(self._counts(number), Counts)
            return shard if self._part(number).stat().st_size == shard.bytes else None
        except (InputError, FileNotFoundError):
            return None

    def write(self, number: int, lines: Iterable[Line]) -> Counter[str]:
        """Stages a shard and marks it as done; returns how many of its rows have each status."""
        with replacing(self._part(number), self.state) as partial:
            tally = write_lines(lines, partial, self.layout)
            shard = Shard(statuses=tally.statuses, films=tally.films.hexdigest(), kept=tally.kept.hexdigest(),
                          digest=file_digest(partial), bytes=partial.stat().st_size)
        self._save(self._counts(number), tally.counts.model_dump_json())
        self._save(self._marker(number), shard.model_dump_json())
        return tally.statuses

    def forget(self, number: int) -> None:
        """Takes back that a shard is done."""
        self._marker(number).unlink(missing_ok=True)

    def recover(self, settings: dict[str, Any]) -> Record | None:
        """Makes visible what a killed process had finished, and returns its record; None where there is no such thing.

        The summary is written where all `settings` are those of that job: it names the models, and what was asked of them.
        """
        if (self.state / COMMIT).exists():
            with self.locked(GUARD):  # a process that is not killed has it until all is visible
                if (self.state / COMMIT).exists():
                    record = read_record(self.state / COMMIT, Record)
                    alike = settings.items() <= record.binding.items()
                    if self.summary and not alike:
                        logger.info("%s: finished for a job with other settings, without a summary of it", self.out)
                    self._publish(record, alike)
                    return record
        return None

    def commit(self, shards: list[Shard], kept: FilmCounts) -> None:
        """Makes the output of all shards visible, and removes the job; `kept` are the films whose rows were not scored."""
        parts = [self._part(number) for number in range(len(shards))]
        if self.is_folder:
            files = {part.name: shard.digest for part, shard in zip(parts, shards)}
        else:
            merged = self._staged(self.out.name)
            with replacing(merged, self.state) as partial:
                merge_parts(parts, partial, self.layout)
            files = {self.out.name: file_digest(merged)}
        statuses = sum((Counter(shard.statuses) for shard in shards), Counter[str]())
        counts = Counts(ok=kept)
        for number in range(len(shards)):
            counts += read_record(self._counts(number), Counts)
        record = Record(binding=self.binding(), statuses=statuses, counts=counts, kept=[shard.kept for shard in shards],
                        files=files)
        self._save(self.state / COMMIT, record.model_dump_json(indent=2) + "\n")
        self._publish(record, True)

    def _staged(self, name: str) -> Path:
        return self.state / (name if self.is_folder else "merged")

    def _publish(self, record: Record, summarise: bool) -> None:
        """Puts the staged files where they belong; may be repeated from any point at which it was broken."""
        self._success.unlink(missing_ok=True)  # from here on the output is not complete
        for name in record.files:
            if self._staged(name).exists():
                os.replace(self._staged(name), self.out / name if self.is_folder else self.out)
        for path in self.outputs if self.is_folder else ():
            if path.name not in record.files:
                path.unlink()
        sync_folder(self._success.parent)
        if self.summary and summarise:
            self.summary.write(record.counts.all)
            self.summarised = True
        self._save(self._success, record.model_dump_json(indent=2) + "\n")
        shutil.rmtree(self._over, ignore_errors=True)  # of a job that was killed in its very last step
        os.replace(self.state, self._over)  # all at once: a job half removed could not go on
        shutil.rmtree(self._over)

    def record(self) -> Record:
        """What the output that is there was made from; raises `InputError` where it is not complete, or has changed."""
        if not self.outputs:
            raise InputError(self.out, "an earlier output, to score its failed rows again", "none")
        if not self._success.exists():
            expected = f"what it was made from in {self._success.name}"
            raise InputError(self.out, expected, "no such file", remedy=Remedy.SCORE_ANEW)
        record = read_record(self._success, Record)
        if {path.name: file_digest(path) for path in self.outputs} != record.files:
            raise InputError(self.out, "an output as it was written", "a file that changed, is missing or was added",
                             remedy=Remedy.SCORE_ANEW)
        return record
