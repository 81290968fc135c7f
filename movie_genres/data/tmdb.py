"""What TMDB's API, version 3, is asked for, and what it answers: https://developer.themoviedb.org/reference/discover-movie."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import pydantic

from movie_genres.base.errors import InputError, SettingError
from movie_genres.base.options import first_problem
from movie_genres.base.settings import Option
from movie_genres.data.json_tables import parsed

URL = "https://api.themoviedb.org/3"
MOST_PAGES = 500  # that the API gives of one question; each of 20 films
PAGE_FILMS = 20
DAMAGED = "Remove it, and it is asked for again."  # a file

Answer = TypeVar("Answer", bound="_Answer")


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which films, and what of them. A folder of collected films is bound to it."""

    years: Annotated[str, Option("Films", "Years of the first release.", metavar="FROM-TO")] = "1975-2025"
    genres: Annotated[tuple[str, ...], Option("Films", "Films of at least one of these genres, in TMDB's English names.",
                                              metavar="A,B,…", default="all")] = ()
    min_votes: Annotated[int, Option("Films", "Films that at least so many people voted on: those without votes often have "
                                     "neither overview nor poster.", least=0)] = 10
    language: Annotated[str | None, Option("Films", "Films of this original language, in two letters, such as en.",
                                           metavar="CODE", default="all")] = None
    max_films: Annotated[int, Option("Films", "Films at most, the earliest ones.", least=1)] = 100_000
    no_posters: Annotated[bool, Option("Posters", "Leave out the posters.")] = False
    poster_size: Annotated[str, Option("Posters", "Width as TMDB names it: w92, w154, w185, w342, w500, w780 or original.",
                                       metavar="NAME")] = "w342"

    def window(self) -> "Window":
        """The days of the years. Raises `SettingError` where there are none, and on a language that cannot be one."""
        found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", self.years, re.ASCII)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1800 <= first <= last <= 2100:
            raise SettingError("years", "a year, or two joined by a hyphen, such as 1975-2025", repr(self.years))
        if self.language is not None and not re.fullmatch("[a-z]{2}", self.language):
            raise SettingError("language", "two small letters, such as en", repr(self.language))
        return Window(datetime.date(first, 1, 1), datetime.date(last, 12, 31))

    def question(self, window: "Window", page: int, genres: dict[int, str]) -> dict[str, str]:
        """What `/discover/movie` is asked for a page, from 1, of the films of a window, by date.

        `genres` are those that TMDB has; `SettingError` where one that is asked for is not among them.
        """
        asked = {"include_adult": "false", "include_video": "false", "language": "en-US", "page": str(page),
                 "primary_release_date.gte": str(window.start), "primary_release_date.lte": str(window.end),
                 "sort_by": "primary_release_date.asc", "vote_count.gte": str(self.min_votes)}
        if self.language:
            asked["with_original_language"] = self.language
        if self.genres:
            numbers = {name.lower(): number for number, name in genres.items()}
            for name in self.genres:
                if name.strip().lower() not in numbers:
                    raise SettingError("genres", f"names of {', '.join(genres.values())}", repr(name))
            asked["with_genres"] = "|".join(str(numbers[name.strip().lower()]) for name in self.genres)
        return asked


class Window(NamedTuple):
    """Days, the last one included.

    >>> Window(datetime.date(2000, 1, 1), datetime.date(2000, 1, 4)).halves()[1].name
    '2000-01-03_2000-01-04'
    """

    start: datetime.date
    end: datetime.date

    @property
    def name(self) -> str:
        return f"{self.start}_{self.end}"

    def halves(self) -> "list[Window]":
        """Two windows of its days, or none where there is but one day."""
        middle = self.start + (self.end - self.start) // 2
        if middle == self.end:
            return []
        return [Window(self.start, middle), Window(middle + datetime.timedelta(1), self.end)]


class _Answer(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)


class ListedFilm(_Answer):
    """A film as a page lists it, without what is not used."""

    id: Annotated[int, pydantic.Field(ge=1)]
    title: str
    overview: str | None
    genre_ids: list[int]
    poster_path: str | None
    release_date: Annotated[str, pydantic.Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")] = ""
    original_language: str = ""
    vote_average: float = 0
    vote_count: int = 0

    @property
    def poster(self) -> str | None:
        """The path of the poster, where there is one that can be a part of a URL, and its suffix that of a file."""
        path = self.poster_path or ""
        return path if re.fullmatch(r"/[A-Za-z0-9_-]{1,100}\.(jpg|jpeg|png|webp)", path) else None


class _Page(_Answer):
    results: list[dict[str, Any]]
    total_pages: Annotated[int, pydantic.Field(ge=0)]


class Page(NamedTuple):
    """A page of films; `problems`: (id, what is wrong) of those that were left out."""

    films: list[ListedFilm]
    problems: list[tuple[str, str]]
    total_pages: int


def read_page(data: bytes, where: object) -> Page:
    """A page of `/discover/movie`, from the file or address `where`.

    Films of another form are left out. Raises `InputError` where the page, or every film on it, has another form.
    """
    page = _read(_Page, data, where)
    films, problems = [], []
    for result in page.results:
        try:
            films.append(ListedFilm.model_validate(result))
        except pydantic.ValidationError as error:
            problems.append((str(result.get("id", ""))[:20], first_problem(error)))
    if len(problems) > 1 and not films:
        raise InputError(where, "films as TMDB documents them", f"none; of the first, {problems[0][1]}", _advice(where))
    return Page(films, problems, page.total_pages)


class _Genre(_Answer):
    id: int
    name: Annotated[str, pydantic.Field(min_length=1, max_length=100)]


class _Genres(_Answer):
    genres: list[_Genre]


def read_genres(data: bytes, where: object) -> dict[int, str]:
    """The names of genres by number, of `/genre/movie/list`. Raises `InputError` where it has another form."""
    return {genre.id: genre.name for genre in _read(_Genres, data, where).genres}


class _Images(_Answer):
    secure_base_url: Annotated[str, pydantic.Field(pattern=r"^https?://[^@?#\s]+/$")]
    poster_sizes: list[str]


class _Configuration(_Answer):
    images: _Images


def read_image_url(data: bytes, where: object, size: str) -> str:
    """The address of posters of a size, of `/configuration`; a poster's path is appended to it.

    Raises:
        InputError: the answer has another form.
        SettingError: there are no posters of this size.
    """
    images = _read(_Configuration, data, where).images
    if size not in images.poster_sizes:
        raise SettingError("poster_size", " or ".join(images.poster_sizes), repr(size))
    return images.secure_base_url + size


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object; `ValueError` where there is none. Half a character in a text is no error."""
    content = parsed(data)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


def _read(kind: type[Answer], data: bytes, where: object) -> Answer:
    try:
        return kind.model_validate(parse_object(data))
    except pydantic.ValidationError as error:
        found = first_problem(error)
    except ValueError:
        found = "no JSON object"
    raise InputError(where, "an answer as TMDB documents it", found, _advice(where))


def _advice(where: object) -> str:
    return DAMAGED if isinstance(where, Path) else ""
