"""The files of a scoring job: an interrupted one goes on where it stopped, and an output is whole or not there.

A job is bound to everything that decides its rows. Its shards are staged in a folder of the job: each is written to a
temporary file, which reaches the disk, is renamed, and only then is marked as done. When all are there, those of other
machines too, the output is made visible, and a record of what it was made from with it.
"""

import contextlib
import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

from movie_genres.base.errors import InputError, UserError
from movie_genres.base.files import file_digest, locked, replacing, sync_folder
from movie_genres.scoring.records import Binding, Record, Shard, Tally, difference, read_record
from movie_genres.scoring.rows import FORMATS, merge_parts, read_rows, write_part

SETTINGS, COMMIT = "job.json", "commit.json"
OWN = re.compile(r"guard|lock(-\d+)?|job\.json|commit\.json|merged|\d{5,}\.done|part-\d{5,}\..+|\.partial-.+")
PART = re.compile(rf"part-(\d{{5,}})\.({'|'.join(map(re.escape, FORMATS))})")
GUARD_SECONDS = 60  # what another machine may need to begin a job or to make an output visible

class Job:
    """The files of a job.

    Args:
        out: the file to write, or the folder for parts.
        layout: `rows.RowFormat`.
        parts: whether `out` is a folder for parts, `part-00000.csv` and so on, a part for each shard.
        shard_size: films a shard.
        num_shards, shard_index: on several machines that share the folder, each with an index of its own from 0, this one
            does every `num_shards`th shard. Needs `parts`.
    """

    def __init__(self, out, layout, parts=False, shard_size=8192, num_shards=1, shard_index=0):
        self.out, self.layout, self.is_folder = Path(os.path.realpath(out)), layout, parts
        self.shard_size, self.num_shards, self.shard_index = shard_size, num_shards, shard_index
        self.state = self.out / ".job" if parts else Path(f"{self.out}.job")
        self._over = Path(f"{self.state}.over")
        self._success = self.out / "_SUCCESS" if parts else self.out.with_name(f".{self.out.name}.success")
        self._recovered = None

    def is_mine(self, number):
        """Whether a shard is this machine's to do."""
        return number % self.num_shards == self.shard_index

    def owns(self, path):
        """Whether a path belongs to the output or to what the job keeps beside it."""
        name = os.path.basename(path)
        if not (".job" in path or name in (self.out.name, self._success.name) or PART.fullmatch(name)):
            return False  # most paths, without looking at the disk
        path = Path(os.path.realpath(os.path.dirname(path))) / name
        inside = {self.state, self._over} & {path, *path.parents}
        return bool(inside) or path == self._success or (self._is_part(path) if self.is_folder else path == self.out)

    def _is_part(self, path):
        return path.parent == self.out and PART.fullmatch(path.name) is not None

    @property
    def outputs(self):
        """The files of the output that is there, a list of paths in order."""
        if not self.is_folder:
            return [self.out] if self.out.exists() else []
        found = (path for path in self.out.iterdir() if self._is_part(path)) if self.out.is_dir() else ()
        return sorted(found, key=lambda path: (int(PART.fullmatch(path.name)[1]), path.name))

    @property
    def has_begun(self):
        """Whether there is something to go on with, so that an output may be replaced by what was begun to replace it."""
        return (self.state / SETTINGS).exists() or self._recovered is not None

    def check_output(self):
        """Refuses to replace an output.

        Raises:
            UserError: there is one.
        """
        if self.outputs or (self.is_folder and self._success.exists()):  # a folder of no films has no parts
            raise UserError(f"{self.out}: there is an output already. Give another name, or --overwrite to replace it, or "
                            "--retry-failed to score its failed rows again.")

    @contextlib.contextmanager
    def held(self):
        """Keeps all other processes from this machine's share, and makes visible what a killed one had finished.

        What was made for a job that then did not begin is removed.

        Raises:
            LockedError: another process has it.
        """
        fresh = self.is_folder and not self.out.exists()
        for folder in (self.state, self._over):
            _refuse_foreign(folder)
        try:
            self._recover()
            with self._locked(self._lock_name, 0):
                try:
                    for partial in self.state.glob(".partial-*") if self.num_shards == 1 else ():
                        partial.unlink()
                    yield self
                finally:
                    self._clear_if_empty(fresh)
        except (FileExistsError, NotADirectoryError):
            raise InputError(self.state, "a folder for the job", "a file of that name", "Move it away.") from None

    @property
    def _lock_name(self):
        return "lock" if self.num_shards == 1 else f"lock-{self.shard_index}"

    @contextlib.contextmanager
    def _locked(self, name, timeout=GUARD_SECONDS):
        for folder in [self.out, self.state] if self.is_folder else [self.state]:
            folder.mkdir(exist_ok=True)
        with locked(self.state / name, f"{self.out}: another process is working on this output.", timeout):
            yield

    def _recover(self):
        if (self.state / COMMIT).exists():
            with self._locked("guard"):  # a process that is not killed has it until all is visible
                if (self.state / COMMIT).exists():
                    self._recovered = read_record(self.state / COMMIT, Record)
                    self._publish(self._recovered)

    def _clear_if_empty(self, fresh):
        if self.state.is_dir() and {path.name for path in self.state.iterdir()} <= {"guard", self._lock_name}:
            shutil.rmtree(self.state, ignore_errors=True)
            if fresh:
                with contextlib.suppress(OSError):
                    self.out.rmdir()

    def begin(self, binding, overwrite=False, retry=False):
        """Starts the job, or goes on with it; to be called while `held`.

        Args:
            binding: dict that JSON can hold: all that decides the output.
            overwrite: whether an output, or a job that was begun with another binding, may be thrown away.
            retry: whether the output that is there will be replaced by one with its failed rows scored again.

        Returns:
            `records.Record` of the output where a killed process had finished this very job; None where there is work to do.

        Raises:
            UserError: there is an output, or a job with another binding.
            LockedError: the job to be thrown away is another machine's, which works on it.
        """
        binding = json.loads(json.dumps(binding))  # as it will be read: lists for tuples
        if self._recovered and self._recovered.binding == binding:
            return self._recovered
        with self._locked("guard"):
            begun = self._begun(overwrite)
            if begun == binding:
                return None
            if begun is not None and not overwrite:
                raise UserError(f"{self.out}: {difference(begun, binding)}. That is what a job that was begun is bound to: "
                                "give the same options, models and inputs, or start anew with --overwrite.")
            if not (overwrite or retry):
                self.check_output()
            self._start_anew(binding)
        return None

    def _begun(self, overwrite):
        """The binding of the job that has begun, None where there is none."""
        if not (self.state / SETTINGS).exists():
            return None
        try:
            return read_record(self.state / SETTINGS, Binding).root
        except InputError:
            if overwrite:
                return {}
            raise

    def _start_anew(self, binding):
        with contextlib.ExitStack() as others:  # whoever works on what is thrown away now is in the way
            for lock in self.state.glob("lock-*"):
                if lock.name != self._lock_name:
                    others.enter_context(self._locked(lock.name, 0))
            (self.state / SETTINGS).unlink(missing_ok=True)
            for path in self.state.iterdir():
                if path.suffix == ".done" or PART.fullmatch(path.name) or path.name.startswith(".partial-"):
                    path.unlink()
            with replacing(self.state / SETTINGS, self.state) as partial:
                partial.write_text(json.dumps(binding, indent=2) + "\n", encoding="utf-8")

    def _part(self, number):
        return self.state / f"part-{number:05}.{self.layout.format}"

    def _marker(self, number):
        return self.state / f"{number:05}.done"

    def done(self, number):
        """What is known of a shard, a `records.Shard`; None while it is not done, or where what was done is damaged."""
        try:
            shard = read_record(self._marker(number), Shard)
            return shard if self._part(number).stat().st_size == shard.bytes else None
        except (InputError, FileNotFoundError):
            return None

    def write(self, number, rows):
        """Stages a shard and marks it as done.

        Args:
            number: of the shard.
            rows: iterable of `rows.Row`.

        Returns:
            `collections.Counter` of the rows by status.
        """
        tally = Tally()

        def counted():
            for row in rows:
                tally.add(row.status, row.identity)
                yield row

        with replacing(self._part(number), self.state) as partial:
            write_part(counted(), partial, self.layout)
            shard = Shard(statuses=tally.statuses, films=tally.films, kept=tally.kept, digest=file_digest(partial),
                          bytes=partial.stat().st_size)
        with replacing(self._marker(number), self.state) as partial:
            partial.write_text(shard.model_dump_json())
        return tally.statuses

    def forget(self, number):
        """Takes back that a shard is done."""
        self._marker(number).unlink(missing_ok=True)

    def finish(self, count):
        """Makes the output of `count` shards visible, if those of all machines are there, and removes the job.

        Returns:
            how many shards are missing yet.
        """
        with self._locked("guard"):
            if not (self.state / SETTINGS).exists():
                return 0  # another machine, as ready as this one, has made the output visible
            shards = [self.done(number) for number in range(count)]
            if missing := shards.count(None):
                return missing
            record = self._record_of(shards)
            with replacing(self.state / COMMIT, self.state) as partial:
                partial.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            self._publish(record)
        return 0

    def _record_of(self, shards):
        if self.is_folder:
            files = {self._part(number).name: shard.digest for number, shard in enumerate(shards)}
        else:
            with replacing(self._staged(self.out.name), self.state) as partial:
                merge_parts([self._part(number) for number in range(len(shards))], partial, self.layout)
            files = {self.out.name: file_digest(self._staged(self.out.name))}
        binding = json.loads((self.state / SETTINGS).read_text(encoding="utf-8"))
        statuses = sum((Counter(shard.statuses) for shard in shards), Counter())
        return Record(binding=binding, statuses=statuses, kept=[shard.kept for shard in shards], files=files)

    def _staged(self, name):
        return self.state / (name if self.is_folder else "merged")

    def _publish(self, record):
        """Puts the staged files where they belong; may be repeated from any point at which it was broken."""
        self._success.unlink(missing_ok=True)  # from here on the output is not complete
        for name in record.files:
            if self._staged(name).exists():
                os.replace(self._staged(name), self.out / name if self.is_folder else self.out)
        for path in self.outputs if self.is_folder else ():
            if path.name not in record.files:
                path.unlink()
        sync_folder(self._success.parent)
        with replacing(self._success, self.state) as partial:
            partial.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self._over, ignore_errors=True)  # of a job that was killed in its very last step
        os.replace(self.state, self._over)  # all at once: a job half removed could not go on
        shutil.rmtree(self._over)

    def record(self):
        """The `records.Record` of the output that is there.

        Raises:
            UserError: there is no complete output, or it has changed since it was made.
        """
        if not self.outputs:
            raise UserError(f"{self.out}: expected an earlier output, to score its failed rows again; found none.")
        anew = "Score all anew, with --overwrite."
        if not self._success.exists():
            raise InputError(self.out, f"what it was made from in {self._success.name}", "no such file", anew)
        record = read_record(self._success, Record)
        if {path.name: file_digest(path) for path in self.outputs} != record.files:
            raise InputError(self.out, "an output as it was written", "a file that changed, is missing or was added", anew)
        return record

    def rows(self):
        """The rows of the output that is there, as of `rows.read_rows`."""
        return read_rows(self.outputs, self.layout)


def _refuse_foreign(folder):
    """Refuses to work in a folder that holds what no job has put there."""
    if os.path.islink(folder):
        found = "a link"
    elif folder.is_dir():
        foreign = [entry.name for entry in os.scandir(folder)
                   if not (OWN.fullmatch(entry.name) and entry.is_file(follow_symlinks=False))]
        found = foreign and f"also {min(foreign)}"
    else:
        return
    if found:
        raise InputError(folder, "a folder of a job, with nothing else in it", found, "Move it away.")
