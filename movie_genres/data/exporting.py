"""Writes the films of a data folder in the formats that import reads, whole or not at all."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.base.files import StrPath, file_digest, is_below, locked, reason_of, replacing, sync_folder
from movie_genres.base.progress import track
from movie_genres.data.films import COLUMNS, Film, plain_year, poster_files, read_films, write_rows
from movie_genres.data.genre_columns import PREFIX
from movie_genres.data.genres import Genres
from movie_genres.data.importing import copy_posters
from movie_genres.data.layouts import read_source
from movie_genres.data.places import Place, left_out
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import SUFFIXES

GROUP = 256  # rows of a Parquet file that are written at once, with their posters

Posters = Mapping[str, Place]  # by film id


class Format(NamedTuple):
    """A format: how to write it, the layout as which import knows it, what it holds, and, where that is not all, of what."""

    write: Callable[[Sequence[Film], Posters, Path], list[str]]  # to an empty folder; returns sentences on what is left out
    layout: str
    content: str
    choose: Callable[[Sequence[Film], Posters], tuple[list[Film], list[str]]] | None = None  # films as it holds them; notes


def export_films(data: StrPath, out: StrPath, format: str) -> list[str]:
    """Writes the films and posters of a data folder to the new folder `out`, in a format of `FORMATS`.

    All is written to `.NAME-export` beside `out`, read back as an import would, compared with what is in the data folder,
    and renamed at the end. Returns sentences on what was left out.

    Raises:
        InputError: there are no films, something is in the place of `out`, or films would not be read back as they are.
        MissingPackageError: the package that writes the format is not there.
        LockedError: another export to this folder is running.
    """
    out, written = Path(os.path.abspath(out)), FORMATS[format]
    _refuse_place(out, data)
    films = [dataclasses.replace(film, year=plain_year(film.year)) for film in read_films(data)]  # as import has them
    posters, notes = _posters_of(films, data)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _staging(out) as folder:
        if written.choose:
            films, lost = written.choose(films, posters)
            posters = {film.id: posters[film.id] for film in films}
            notes += lost
        notes += written.write(films, posters, folder)
        _check(data, films, posters, folder, format)
        _put(folder, out, data)
    return notes


def _refuse_place(out: Path, data: StrPath) -> None:
    if is_below(out, data):
        raise InputError(out, "a folder outside of the data folder", f"one in {data}", "Give another folder.")
    if os.path.lexists(out) and (os.path.islink(out) or not out.is_dir() or os.listdir(out)):
        raise InputError(out, "a new or an empty folder", "something else", "Move it away, or give another folder.")


def _posters_of(films: Sequence[Film], data: StrPath) -> tuple[dict[str, Place], list[str]]:
    """The posters of films that import would take, by id, and sentences on those that it would not."""
    files, posters, reasons = poster_files(data), dict[str, Place](), []
    for film_id in dict.fromkeys(film.id for film in films if film.id in files):
        poster = Place(files[film_id], os.path.realpath(data))
        try:
            poster.check(Caps().bytes)
            if poster.suffix in SUFFIXES:
                posters[film_id] = poster
            else:
                reasons.append((poster.name, "the suffix is none of a picture"))
        except OSError as error:
            reasons.append((poster.name, reason_of(error)))
    return posters, left_out("posters", reasons)


@contextlib.contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """An empty folder beside `out`, held against other exports; in the end it is gone."""
    work = out.parent / f".{out.name}-export"
    if os.path.lexists(work) and (os.path.islink(work) or not work.is_dir() or {*os.listdir(work)} - {"lock", "new"}):
        raise InputError(work, "a folder for the work of an export", "something else", "Move it away.")
    work.mkdir(exist_ok=True)
    with locked(work / "lock", f"{out}: another export to this folder is running. Wait for it, or give another folder."):
        shutil.rmtree(work / "new", ignore_errors=True)  # what a process left that was killed
        try:
            (work / "new").mkdir()
            yield work / "new"
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _check(data: StrPath, films: Sequence[Film], posters: Posters, folder: Path, format: str) -> None:
    """Sees to it that import reads from a folder what was written to it."""
    expected = f"films that the format {format} holds as they are"
    try:
        layout, source = read_source(folder)
    except InputError as error:
        raise InputError(data, expected, str(error).rpartition("found ")[2].rstrip("."), "Choose another format.") from None
    odd = None if layout == FORMATS[format].layout else f"some that would be taken for the layout {layout}"
    odd = odd or _difference(films, source.films)
    missing = [film_id for film_id in posters if film_id not in source.posters]
    odd = odd or (f"the poster of {missing[0]!r}, which would not be found" if missing else None)
    if odd:
        raise InputError(data, expected, odd, "Choose another format.")


def _difference(films: Sequence[Film], again: Sequence[Film]) -> str | None:
    """What differs between films and those that were read back, in words."""
    wanted, read = (sorted(map(_comparable, some)) for some in (films, again))
    for film, other in zip(wanted, read):
        if film[0] != other[0]:
            return f"the film {min(film[0], other[0])!r}, which would be read back otherwise, or not at all"
        if film != other:
            field = next(name for name, cell, found in zip(COLUMNS, film, other) if cell != found)
            return f"the film {film[0]!r}, which would be read back otherwise: its {field}"
    return None if len(wanted) == len(read) else "a film twice"


def _texts(film: Film) -> tuple[str, str, str, str]:
    return film.id, film.title, film.year, film.overview


def _comparable(film: Film) -> tuple[Any, ...]:
    return *_texts(film), sorted(film.genres)


def _put(folder: Path, out: Path, data: StrPath) -> None:
    try:
        os.rename(folder, out)  # fails where something has come to be in `out` meanwhile
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        _refuse_place(out, data)
        raise
    sync_folder(out.parent)


def _write_posters(posters: Posters, folder: Path) -> list[str]:
    (folder / "posters").mkdir()
    return copy_posters(posters, folder / "posters")


def _write_csv(films: Sequence[Film], posters: Posters, folder: Path) -> list[str]:
    with replacing(folder / "films.csv") as partial:
        write_rows(partial, COLUMNS, ((*_texts(film), _genres_cell(film.genres)) for film in films))
    return _write_posters(posters, folder)


def _genres_cell(names: tuple[str, ...]) -> str:
    """Genres joined by bars, or as a JSON list where import would take that otherwise, as of one with a comma."""
    joined = "|".join(names)
    return joined if Genres().parse(joined) == names else json.dumps(names, ensure_ascii=False)


def _write_one_hot(films: Sequence[Film], posters: Posters, folder: Path) -> list[str]:
    genres = sorted({genre for film in films for genre in film.genres})
    with replacing(folder / "films.csv") as partial:
        write_rows(partial, (*COLUMNS[:-1], *(PREFIX + genre for genre in genres)), (
            (*_texts(film), *("01"[genre in film.genres] for genre in genres)) for film in films))
    return _write_posters(posters, folder)


def _write_json_lines(films: Sequence[Film], posters: Posters, folder: Path) -> list[str]:
    with replacing(folder / "films.jsonl") as partial, open(partial, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(dataclasses.asdict(film), ensure_ascii=False) + "\n" for film in films)
    return _write_posters(posters, folder)


def _write_parquet(films: Sequence[Film], posters: Posters, folder: Path) -> list[str]:
    """A file with a list of genres, and with posters in a column as the data sets of Hugging Face have it."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingPackageError("Parquet", "pyarrow", "parquet") from None
    text = pyarrow.string()
    kinds = [*((name, text) for name in COLUMNS[:-1]), ("genres", pyarrow.list_(text)),
             ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", text)]))]
    schema, left = pyarrow.schema(kinds), dict(posters)
    with replacing(folder / "films.parquet") as partial, parquet.ParquetWriter(partial, schema) as writer:
        for start in track(range(0, len(films), GROUP), -(-len(films) // GROUP), "Writing films"):
            rows = [{**dataclasses.asdict(film), "image": _embedded(film.id, left.pop(film.id, None))}
                    for film in films[start:start + GROUP]]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
    return []


def _embedded(film_id: str, poster: Place | None) -> dict[str, Any] | None:
    return None if poster is None else {"bytes": poster.read(Caps().bytes), "path": film_id + poster.suffix}


def _write_mm_imdb(films: Sequence[Film], posters: Posters, folder: Path) -> list[str]:
    for film in films:
        plot = film.overview + "::" if "::" in film.overview else film.overview  # what follows the last is the author
        content = {"title": film.title, "year": film.year, "genres": film.genres, "plot": [plot]}
        with replacing(folder / f"{film.id}.json") as partial:
            partial.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return copy_posters(posters, folder)


def _with_poster_and_genre(films: Sequence[Film], posters: Posters) -> tuple[list[Film], list[str]]:
    """Ids and genres of the films that folders of genres hold, and sentences on what they do not."""
    digests, reasons, chosen = set[str](), [], []
    for film in track(films, len(films), "Comparing posters"):
        poster = posters.get(film.id)
        digest = file_digest(str(poster.path)) if poster else ""
        why = ("no poster" if poster is None else "no genre" if not film.genres else
               "the same poster as another film" if digest in digests else "")
        if why:
            reasons.append((film.id, why))
        else:
            digests.add(digest)
            chosen.append(Film(film.id, genres=film.genres))
    return chosen, ["folders of genres hold no titles, years and overviews", *left_out("films", reasons)]


def _write_genre_folders(films: Sequence[Film], posters: Posters, folder: Path) -> list[str]:
    notes: list[str] = []
    for genre in sorted({genre for film in films for genre in film.genres}):
        if "/" in genre or "\0" in genre or genre.startswith(".") or len(os.fsencode(genre)) > 255:
            raise InputError(genre, "a genre that can be the name of a folder", "another one", "Choose another format.")
        (folder / genre).mkdir()
        notes += copy_posters({film.id: posters[film.id] for film in films if genre in film.genres}, folder / genre)
    return notes


FORMATS = {
    "csv": Format(_write_csv, "table", "films.csv, genres joined by bars, beside posters/"),
    "one-hot": Format(_write_one_hot, "table", "films.csv with a column of 0 and 1 for each genre, beside posters/"),
    "jsonl": Format(_write_json_lines, "table", "films.jsonl, an object for each film, beside posters/"),
    "parquet": Format(_write_parquet, "table", "films.parquet with the posters in it"),
    "mm-imdb": Format(_write_mm_imdb, "mm-imdb", "<id>.json beside <id>.jpeg"),
    "genre-folders": Format(_write_genre_folders, "genre-folders", "a folder of posters for each genre",
                            _with_poster_and_genre),
}
