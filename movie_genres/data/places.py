"""Folders and zip archives as places to read from, both alike, and neither trusted.

Links are not followed out of a place, only regular files are opened, and nothing is read beyond a cap, whatever an archive
says of its members. Nothing is extracted.
"""

import dataclasses
import errno
import io
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, TypeVar

from movie_genres.base.errors import InputError
from movie_genres.base.files import StrPath, is_below, open_regular, read_capped, reason_of
from movie_genres.data.access import Capped, is_special, open_binary, too_large
from movie_genres.data.json_tables import JSON_LINES_SUFFIXES, JsonTable
from movie_genres.data.parquet import PARQUET_SUFFIX, ParquetTable
from movie_genres.data.tables import Rows, Table, unpacked_name
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import SUFFIXES

Result = TypeVar("Result")

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
PACKED_SUFFIXES = (*TEXT_SUFFIXES, *JSON_LINES_SUFFIXES, ".json")  # which `.gz` may follow
IMPORTED_SUFFIXES = (*PACKED_SUFFIXES, PARQUET_SUFFIX)
MAX_TABLE = 1_000_000_000  # bytes of a table in an archive or packed by gzip: a few kilobytes can stand for gigabytes
STEP = 4096  # bytes of a member read at once: bzip2 and LZMA unpack at once all that they are given


class Member(zipfile.Path):
    """A member of a zip archive. All that can be wrong with it is an `OSError`."""

    def open(self, mode: Literal["rb"] = "rb") -> io.BufferedReader:  # type: ignore[override]  # for reading bytes only
        """The member's bytes, of which there are at most `MAX_TABLE`."""
        return io.BufferedReader(_MemberBytes(_unpacked(lambda: super(Member, self).open(mode)), MAX_TABLE))


class _MemberBytes(Capped):
    def _block(self, most: int) -> bytes:
        return _unpacked(lambda: self._file.read(min(most, STEP)))


def _unpacked(act: Callable[[], Result]) -> Result:
    try:
        return act()
    except OSError:
        raise
    except Exception:  # damaged archives make zipfile raise nearly anything, from struct.error to MemoryError
        raise OSError(errno.EIO, "damaged, encrypted or packed in an unknown way") from None


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder or file of a source."""

    path: Path | Member
    root: str | None = None  # all links followed; links must not lead out of it. None in an archive, and for a named file

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path.name).suffix.lower()

    @property
    def kind(self) -> str:
        """The suffix of a table in small letters, which tells its kind: of a text packed by gzip, the one before."""
        unpacked = PurePosixPath(unpacked_name(self.name)).suffix
        return unpacked if unpacked in PACKED_SUFFIXES else self.suffix

    @property
    def stem(self) -> str:
        return PurePosixPath(self.path.name).stem

    def is_dir(self) -> bool:
        return self.path.is_dir() if isinstance(self.path, Member) else os.path.isdir(self.path)

    def is_own_folder(self) -> bool:
        """Whether it is a folder of this machine, and no link to one."""
        return isinstance(self.path, Path) and os.path.isdir(self.path) and not os.path.islink(self.path)

    def is_link(self) -> bool:
        """Whether it is a link, in a folder of this machine."""
        return isinstance(self.path, Path) and os.path.islink(self.path)

    def leads_out(self) -> bool:
        """Whether it lies outside the root, when all links are followed."""
        return isinstance(self.path, Path) and self.root is not None and not is_below(self.path, self.root)

    def children(self) -> list["Place"]:
        """What is in a folder, by name; of members of one name, the last. `InputError` where the folder cannot be read."""
        try:
            entries = {entry.name: entry for entry in self.path.iterdir()}
        except OSError as error:
            raise InputError(self.path, "a folder that can be read", error.strerror or str(error)) from None
        return [Place(entry, self.root) for _, entry in sorted(entries.items())]

    def child(self, name: str) -> "Place | None":
        """The entry with this name, whatever its case."""
        return next((entry for entry in self.children() if entry.name.lower() == name.lower()), None)

    def check(self, most: int | None = None) -> None:
        """Sees to it that this is a regular file of at most `most` bytes that lies below the root; raises `OSError`."""
        if isinstance(self.path, Member):
            if self.is_dir():
                raise OSError(errno.ENOTSUP, "not a regular file")
            info = self.path.root.getinfo(self.path.at)
            if is_special(info):
                raise OSError(errno.ENOTSUP, "a link or no regular file")
            size = info.file_size
        else:
            if os.path.islink(self.path) and self.leads_out():
                raise OSError(errno.EXDEV, "a link that leads out of the folder")
            status = os.stat(self.path)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.ENOTSUP, "not a regular file")
            size = status.st_size
        if most is not None and size > most:
            raise too_large(most)

    def read(self, most: int) -> bytes:
        """The bytes of the file; raises `OSError` as `check`, or where it cannot be read whole."""
        self.check(most)
        with open_binary(self.path) as file:
            data = file.read(most + 1) if isinstance(self.path, Member) else read_capped(file, most)
        if len(data) > most:
            raise too_large(most)
        return data

    def table(self) -> Table:
        """The file as a `Table`; `InputError` where it is none, or does not `check`."""
        self._check_table()
        return Table(self.path, most=MAX_TABLE)

    def rows(self) -> Rows:
        """The file as a table of its `kind`, of `IMPORTED_SUFFIXES`; `InputError` as `table`."""
        if self.kind in TEXT_SUFFIXES:
            return self.table()
        if self.kind == PARQUET_SUFFIX:
            return self.parquet()
        self._check_table()
        return JsonTable(self.path, most=MAX_TABLE)

    def parquet(self) -> ParquetTable:
        """The file as a `ParquetTable`; `InputError` as `table`."""
        self._check_table()
        return ParquetTable(self.path)

    def _check_table(self) -> None:
        try:
            self.check(MAX_TABLE if isinstance(self.path, Member) else None)
        except OSError as error:
            raise InputError(self.path, "a table that can be read", reason_of(error),
                             "Put the file itself there, or give its own path.") from None


def left_out(kind: str, reasons: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences on files of a kind, named in the plural, that were left out: (name of the file, why) of each.

    >>> left_out("posters", [("b.jpg", "empty"), ("a.jpg", "empty")])
    ['left out 2 posters: empty (first: a.jpg)']
    """
    names: dict[str, list[str]] = {}
    for name, reason in sorted(reasons):
        names.setdefault(reason, []).append(name)
    return [f"left out {len(found):,} {kind}: {reason} (first: {found[0]})" for reason, found in names.items()]


def posters_in(folder: Place, notes: list[str], deep: bool = False) -> dict[str, Place]:
    """The posters in a folder by stem, if `deep` also those in its subfolders, by path without suffix; of several the first.

    Notes how many files with the name of a picture cannot be one, and why.
    """
    posters: dict[str, Place] = {}
    reasons, pending = [], [("", folder)]
    while pending:
        above, place = pending.pop()
        for file in place.children():
            if deep and file.is_own_folder():
                pending.append((f"{above}{file.name}/", file))
            elif file.suffix in SUFFIXES:
                try:
                    file.check(Caps().bytes)
                    posters.setdefault(above + file.stem, file)
                except OSError as error:
                    reasons.append((file.name, reason_of(error)))
    notes += left_out("posters", reasons)
    return posters


def folder_place(path: StrPath) -> Place:
    """A folder of this machine as a `Place` that links must not lead out of."""
    return Place(Path(path), os.path.realpath(path))


def open_source(path: Path) -> tuple[list[Place], list[str]]:
    """The places at a path in which films may lie, and notes on what is peculiar.

    These are the path itself and the folders directly inside; where there is only one of these, also those directly in it.

    Raises:
        InputError: it is no folder, zip archive or table, or an archive that is damaged or has a member outside itself.
    """
    top, notes = (folder_place(path), []) if os.path.isdir(path) else _open_file(path)
    inside = _folders_in(top, notes)
    return [top, *inside, *(_folders_in(inside[0], notes) if len(inside) == 1 else ())], notes


def _folders_in(place: Place, notes: list[str]) -> list[Place]:
    """The first folders directly in a place, without those that lead out of it, which the notes tell."""
    entries = place.children() if place.is_dir() else []
    inside = [entry for entry in entries if entry.is_dir() and entry.name != "__MACOSX"]
    reasons = [(entry.name, "a link that leads out of the source") for entry in inside if entry.leads_out()]
    notes += left_out("folders", reasons)
    return [entry for entry in inside if not entry.leads_out()][:20]


def _open_file(path: Path) -> tuple[Place, list[str]]:
    expected = "a folder, a zip archive or a table"
    try:
        file = open_regular(path)
    except FileNotFoundError:
        raise InputError(path, expected, "nothing", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise InputError(path, expected, reason_of(error)) from None
    if path.suffix.lower() != PARQUET_SUFFIX and zipfile.is_zipfile(file):
        return _open_archive(path, file)  # which goes on reading from it
    file.close()
    if (place := Place(path)).kind in IMPORTED_SUFFIXES:
        return place, []
    raise InputError(path, expected + " (" + ", ".join(IMPORTED_SUFFIXES) + ")", "a file that is none of these")


def _open_archive(path: Path, file: BinaryIO) -> tuple[Place, list[str]]:
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # see _unpacked
        raise InputError(path, "a whole zip archive", str(error) or type(error).__name__, "Fetch it again.") from None
    archive.filename = str(path)
    for name in archive.namelist():
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name.split("/")[0]:
            raise InputError(path, "members inside the archive", f"the member {name!r}", "Do not trust this archive.")
    repeated = [name for name, count in Counter(archive.namelist()).items() if count > 1]
    notes = [f"{len(repeated):,} members stand in the archive more than once; the last of each was read (first: "
             f"{repeated[0]})"] if repeated else []
    return Place(Member(archive)), notes
