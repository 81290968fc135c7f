"""Reads delimited text tables row by row, strictly: no row is swallowed, shifted or guessed."""

import csv
import io
import re

from movie_genres.errors import InputError

ID_COLUMNS = ("id", "film_id", "movie_id", "imdb_id", "imdbid", "tconst", "filename", "file")
TEXT_COLUMNS = ("overview", "plot", "plot_outline", "description", "synopsis", "summary", "text")
GENRES_COLUMNS = ("genres", "genre", "labels")

csv.field_size_limit(100_000_000)  # the module stops at 131,072 characters a field


class Table:
    """A delimited text file with a header line, in UTF-8 with or without a byte-order mark.

    The separator (comma, tab, semicolon or bar) is taken from the header line. Cells are text, never numbers or NaN.

    >>> table = Table("films.csv")                                            # doctest: +SKIP
    >>> [(number, cells[table.find("id")]) for number, cells in table]        # doctest: +SKIP

    Args:
        path: a `pathlib.Path`, or a `zipfile.Path` of a member.

    Raises:
        InputError: no header, a column name that occurs twice, or (while iterating) a quote that is never closed.
    """

    def __init__(self, path):
        self.path = path
        with self._open() as file:
            header = file.buffer.readline().decode("utf-8-sig", errors="replace")
        if not header.strip():
            raise InputError(path, "a header line with the column names", "an empty first line")
        self.delimiter = max(",\t;|", key=header.count)
        with self._open() as file:
            self.columns = [name.strip() for name in next(self._reader(file))]
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise InputError(path, "each column once", f"the column {repeated[0]!r} more than once")

    def _open(self):
        try:
            return io.TextIOWrapper(self.path.open("rb"), encoding="utf-8-sig", newline="")
        except OSError as error:
            raise InputError(self.path, "a readable table", error.strerror or str(error)) from None

    def _reader(self, file):
        reader = csv.reader(file, delimiter=self.delimiter, strict=True)
        while True:
            try:
                yield next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise InputError(self.path, "text in UTF-8", f"byte 0x{error.object[error.start]:02x} near line "
                                 f"{reader.line_num + 1}", "Save the table as UTF-8.") from None
            except csv.Error as error:
                raise InputError(self.path, "a well-formed table", f"{error} near line {reader.line_num}",
                                 "Close or double the quote there.") from None

    def __iter__(self):
        """Yields (number of the row, its cells); the first row after the header is 1. Blank lines are passed over.

        A row may have more or fewer cells than there are columns: `is_ragged` tells.
        """
        with self._open() as file:
            rows = self._reader(file)
            next(rows)
            yield from enumerate((cells for cells in rows if cells), start=1)

    def is_ragged(self, cells):
        """Whether a row's number of cells differs from the number of columns, so that no cell can be trusted."""
        return len(cells) != len(self.columns)

    def find(self, name, usual=(), option=None):
        """Returns the index of the column `name`, or, where that is None, of the first of the `usual` names.

        Raises:
            InputError: there is no such column; the message tells which there are and the command's `option` that names one.
        """
        lower = [re.sub(r"[\s-]+", "_", column.lower()) for column in self.columns]
        if name is not None and name in self.columns:
            return self.columns.index(name)
        for usual_name in usual if name is None else ():
            if usual_name in lower:
                return lower.index(usual_name)
        expected = f"a column {name!r}" if name is not None else f"a column named one of {', '.join(usual)}"
        advice = f"Name it with {option}." if option else ""
        raise InputError(self.path, expected, "the columns " + ", ".join(self.columns), advice)
