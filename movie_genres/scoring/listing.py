"""Finds the posters to score: in folders, globs, lists, archives, tables, behind URLs; a stream in a fixed order."""

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.base.files import is_below, is_of_machine, open_regular, reason_of
from movie_genres.data.access import describe, is_url, list_remote, local_path
from movie_genres.data.parquet import PARQUET_MAGIC, TABLE_SUFFIXES, ParquetTable, open_table
from movie_genres.data.reading import HTTP, Access, TableOptions
from movie_genres.data.tables import ID_COLUMNS, POSTER_COLUMNS, AnyTable
from movie_genres.inputs.posters import SUFFIXES, is_picture
from movie_genres.scoring.archives import COMPRESSIONS, TAR_SUFFIXES, ZIP_MAGIC, id_of, in_tar, in_zip, is_tar, may_be_poster
from movie_genres.scoring.poster_sources import FailedPoster, Listed, LoadedPoster, LocalPoster, RemotePoster, poster_at

WILDCARDS = re.compile(r"[*?\[]")
HTTP_WILDCARDS = re.compile(r"[*\[]")  # a question mark begins a query there
MAX_LINE = 65_536  # bytes of a line of a list
SAMPLE = 1000  # lines of a list that are looked at, if one of them is a file or a URL
HEAD = 65_536  # bytes by which a file is recognised
PLACES = "a folder, a glob, an archive, a table or a list of posters"
A_LIST = "a list of posters, a path or URL on each line"
FOREIGN = {b"Rar!\x1a\x07": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive", b"%PDF": "a PDF document",
           b"\x28\xb5\x2f\xfd": "a Zstandard file", codecs.BOM_UTF16_LE: "text in UTF-16 or UTF-32",
           codecs.BOM_UTF16_BE: "text in UTF-16",
           **{magic: f"{kind} that is no tar archive" for magic, (kind, _) in COMPRESSIONS.items()}}


def list_posters(where: str, max_bytes: int, options: TableOptions = TableOptions(), access: Access = Access()) -> Listed:
    """Yields (id, poster) for each poster at a place, always in the same order; nothing is decoded.

    A file is recognised by its content, and by its suffix only where its content does not tell. Whatever is in a list, a
    folder, an archive or a table gets its row, also what cannot or must not be read: that fails when it is read.

    Args:
        where: one of
            - a folder, with its subfolders; links to folders are not followed; hidden files count only where their name
              says that they are pictures. The id is the path in the folder without extension, by name in each folder;
            - a glob, such as `posters/**/*.jpg`; ids as if the folder before the first wildcard had been given; `**`
              follows no links to folders, and hidden files count only where the pattern has a name that begins with a dot;
            - a zip or tar archive, compressed or not; like a folder, in the archive's order;
            - a table (`.csv`, `.tsv`, also with `.gz`, or Parquet) with columns for id and poster: paths that start at the
              table's folder (or at `access.root`), URLs or, in Parquet, the bytes themselves;
            - an image file, or a list of paths or URLs, one a line, whose ids are the paths without extension;
            - a URL of fsspec such as `s3://bucket/posters`: a folder or a glob.
        max_bytes: posters in compressed tar archives that are larger are not kept in memory.
        access: what the entries of lists and tables may lead to; links in folders may lead no further. Without a root,
            the files of a table must lie below its folder. `where` itself may be anything.

    Raises `InputError`, also on iteration, where there is not a single poster, or what is there cannot be read to its end.
    """
    where = local_path(where)
    if is_url(where):
        return _some(where, _remote(where, access))
    if os.path.isdir(where):
        return _some(where, _in_folder(where, _root_for(where, access)))
    if not os.path.exists(where):
        if WILDCARDS.search(where):
            return _some(where, _matching(where, access))
        raise InputError(where, PLACES, "nothing of that name")
    return _in_file(where, max_bytes, options, access)


def _some(where: str, found: Listed) -> Listed:
    """What was found, with an error at the end if that is nothing."""
    count = 0
    for count, each in enumerate(found, start=1):
        yield each
    if not count:
        raise InputError(where, "at least one poster", "none")


def _root_for(folder: str, access: Access) -> str | None:
    """The folder in which links of a folder that the user named must end, or None."""
    return access.root if access.root is None or is_below(folder, access.root) else folder


def _in_folder(folder: str, root: str | None, inside: str = "") -> Listed:
    try:
        with os.scandir(os.path.join(folder, inside)) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False),
                            entry.is_symlink() and os.path.isdir(entry.path)) for entry in entries)
    except OSError as error:
        raise InputError(error.filename, "a readable folder", reason_of(error),
                         "Change its permissions, or move it away.") from None
    for name, is_folder, leads_to_folder in found:
        path = os.path.join(inside, name)
        if is_folder:
            yield from _in_folder(folder, root, path)
        elif not leads_to_folder and may_be_poster(name):
            yield id_of(path), LocalPoster(os.path.join(folder, path), root)


def _matching(pattern: str, access: Access) -> Listed:
    base = os.path.dirname(WILDCARDS.split(pattern, maxsplit=1)[0])
    rest = pattern[len(base):].lstrip(os.sep)
    hidden = re.compile(r"(^|/)\.(?!\.?(/|$))")
    try:
        if any("**" in part and part != "**" for part in rest.split(os.sep)):  # from Python 3.13 on, a plain `*`
            raise ValueError("`**` stands for whole folders")
        # Not the module `glob`, whose `**` follows links to folders, and so goes round in circles.
        found = {str(path) for path in Path(base).glob(rest) if not os.path.isdir(path)}
    except (OSError, ValueError, NotImplementedError, IndexError, re.error) as error:
        if is_of_machine(error):
            raise
        raise InputError(pattern, "a glob", f"a pattern that is none ({error})") from None
    root = _root_for(base or os.curdir, access)
    for path in sorted(found):
        inside = os.path.relpath(path, base or os.curdir)
        if hidden.search(rest) or not hidden.search(inside):
            yield id_of(inside), LocalPoster(path, root)


def _in_file(path: str, max_bytes: int, options: TableOptions, access: Access) -> Listed:
    lower = path.lower()
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
            zipped, tar = head.startswith(ZIP_MAGIC), is_tar(file)
            file.seek(0)
            picture = not tar and is_picture(file.read(max_bytes))
    except OSError as error:
        raise InputError(path, "a readable file", reason_of(error)) from None
    if picture or (lower.endswith(SUFFIXES) and not tar and not zipped):
        return iter([(id_of(os.path.basename(path)), LocalPoster(path))])
    if tar or (lower.endswith(TAR_SUFFIXES) and not zipped):
        return _some(path, in_tar(path, max_bytes))
    if zipped or lower.endswith(".zip"):
        return _some(path, in_zip(path))
    if head.startswith(PARQUET_MAGIC):
        return _in_table(ParquetTable(path), path, options, access)
    if lower.endswith(TABLE_SUFFIXES):
        return _in_table(open_table(path, options), path, options, access)
    _refuse_foreign(path, head)
    _refuse_other_text(path, access)
    return _some(path, ((id_of(listed), poster_at(listed, access)) for listed in _lines(path)))


def _refuse_foreign(path: str, head: bytes) -> None:
    binary = "NUL characters: a binary file, text in UTF-16, or a NUL-separated list" if b"\0" in head else None
    if found := next((name for magic, name in FOREIGN.items() if head.startswith(magic)), binary):
        raise InputError(path, PLACES, found, "Unpack an archive; save a list as UTF-8, with a path on each line.")


def _lines(path: str) -> Iterator[str]:
    with open_regular(path) as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        for line in iter(lambda: file.readline(MAX_LINE + 1), b""):
            if len(line) > MAX_LINE:
                raise InputError(path, A_LIST, f"a line of more than {MAX_LINE:,} bytes", "Is it a list?")
            if listed := os.fsdecode(line.rstrip(b"\r\n")):
                yield listed


def _refuse_other_text(path: str, access: Access) -> None:
    """Refuses a text, such as a README, of which no line is a file or a URL, or more than half do not even look like one."""
    number = found = likely = 0
    for number, listed in enumerate(_lines(path), start=1):
        is_place = _is_place(listed, access)
        found += is_place
        likely += is_place or listed.lower().endswith(SUFFIXES)
        if found and number >= SAMPLE:
            break
    if number and (not found or 2 * likely < number):
        raise InputError(path, A_LIST, f"{number:,} lines, {found:,} of them a file or URL",
                         "Paths in a list start at the current folder.")


def _is_place(listed: str, access: Access) -> bool:
    poster = poster_at(listed, access)
    if isinstance(poster, LocalPoster):
        return poster.is_allowed() and os.path.isfile(listed)
    return isinstance(poster, FailedPoster) or re.match(r"[A-Za-z][A-Za-z0-9+.:-]*://", listed) is not None


def _in_table(table: AnyTable, path: str, options: TableOptions, access: Access) -> Listed:
    identity = table.find(options.id_column, ID_COLUMNS, "id_column")
    poster = table.find(options.poster_column, POSTER_COLUMNS, "poster_column")
    root = os.path.dirname(path) or os.curdir if access.root is None else access.root
    access = replace(access, root=root)
    for number, (film_id, given), problem in table.rows((identity, poster), raw=poster):
        if problem:
            yield film_id, FailedPoster(film_id, "bad_row", f"row {number} {problem}")
        elif isinstance(given, bytes):
            yield film_id, LoadedPoster(film_id, given, len(given))
        elif not given:
            yield film_id, FailedPoster(film_id, "missing", "the row names no poster")
        else:
            yield film_id, poster_at(given if is_url(given) else os.path.join(root, given), access)


def _wildcard_in(path: str) -> int | None:
    """Where the first wildcard of a URL, or of a path in a store, begins; None without one."""
    start = path.find("/", path.index("://") + 3) if "://" in path else 0
    wildcards = HTTP_WILDCARDS if path.lower().startswith(HTTP) else WILDCARDS
    found = wildcards.search(path, start) if start >= 0 else None
    return found.start() if found else None


def _remote(url: str, access: Access) -> Listed:
    trusted = replace(access, private_hosts=True)
    try:
        store, path, found = list_remote(url, trusted, _wildcard_in(url) is not None)
    except ImportError as error:
        if url.lower().startswith("s3"):
            raise MissingPackageError(url, "s3fs", "s3") from None
        raise InputError(url, "a URL of a store whose package is installed", f"that one is missing ({error})") from None
    except TimeoutError:
        raise InputError(url, "a listing", f"no answer within {access.timeout:g} seconds") from None
    except Exception as error:  # every store has errors of its own
        if is_of_machine(error):
            raise
        known = str(error) if isinstance(error, ValueError) else describe(error)  # ValueError: an unknown protocol
        raise InputError(url, "a folder, a file or a glob that can be listed", known) from None
    trusted = replace(trusted, schemes=(store.protocol,) if isinstance(store.protocol, str) else tuple(store.protocol))
    wildcard = _wildcard_in(path)
    base = path if wildcard is None else os.path.dirname(path[:wildcard])
    for name, about in sorted(found.items()):
        if about.get("type", "file") == "file" and may_be_poster(name):
            version = " ".join(str(about.get(key, "")) for key in ("size", "mtime", "LastModified", "ETag"))
            inside = name[len(base):].lstrip("/") or os.path.basename(name)
            yield id_of(inside), RemotePoster(store.unstrip_protocol(name), version, trusted)
