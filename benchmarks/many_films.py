"""Many films without a meaning: overviews of words as frequent as in a language, posters that decode and differ."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from movie_genres.data.films import Film, write_films

# How many of 100 films of TMDB have a genre, about.
GENRES = {"Drama": 38, "Comedy": 27, "Thriller": 17, "Action": 16, "Romance": 14, "Horror": 13, "Documentary": 10,
          "Crime": 10, "Adventure": 8, "Science Fiction": 7, "Family": 7, "Mystery": 7, "Animation": 7, "Fantasy": 6,
          "TV Movie": 5, "Music": 4, "History": 4, "War": 2, "Western": 1.5}
OF_LANGUAGE, OF_GENRE = 60_000, 300  # words; the latter are a genre's own
WORD_OF_GENRE = 0.2  # share of an overview's words
NO_OVERVIEW, PLACEHOLDER, NO_POSTER = 0.02, 0.003, 0.03  # shares of films
PICTURES, SIZE = 2_000, (185, 278)  # pictures of which posters are made; their width and height
BLOCK = 10_000


def write_many_films(folder: Path, count: int, seed: int = 0) -> None:
    """Writes a data folder of so many films. The first ones are the same whatever the number, for whole blocks of them."""
    posters = folder / "posters"
    posters.mkdir(parents=True)

    def films() -> Iterator[Film]:
        for film, poster in make_many_films(count, seed):
            if poster is not None:
                (posters / f"{film.id}.jpg").write_bytes(poster)
            yield film

    write_films(folder / "films.csv", films())


def make_many_films(count: int, seed: int = 0) -> Iterator[tuple[Film, bytes | None]]:
    """Yields films, each with the bytes of its poster, or None."""
    names, rng = list(GENRES), np.random.default_rng(seed)
    frequency = 1 / np.arange(1, OF_LANGUAGE + 1)
    upto, pictures = np.cumsum(frequency / frequency.sum()), [_picture(number, rng) for number in range(PICTURES)]
    words = [_word(number) for number in range(OF_LANGUAGE + OF_GENRE * len(GENRES))]
    for start in range(0, count, BLOCK):
        rng = np.random.default_rng([seed, start])
        weighed = np.log(list(GENRES.values())) + rng.gumbel(size=(BLOCK, len(GENRES)))  # the first ones: drawn by weight
        ranked, numbers = np.argsort(-weighed, axis=1), rng.choice([1, 2, 3], BLOCK, p=[0.35, 0.4, 0.25])
        years = 2025 - (75 * rng.random(BLOCK) ** 1.7).astype(int)
        lengths = rng.lognormal(3.8, 0.5, BLOCK).astype(int).clip(5, 250)  # 50 words, about
        for row in range(min(BLOCK, count - start)):
            genres, kind = ranked[row, :numbers[row]], rng.random()
            drawn = np.searchsorted(upto, rng.random(lengths[row]))
            own = rng.random(lengths[row]) < WORD_OF_GENRE
            drawn[own] = OF_LANGUAGE + OF_GENRE * rng.choice(genres, own.sum()) + rng.integers(0, OF_GENRE, own.sum())
            overview = ("" if kind < NO_OVERVIEW else "No overview found." if kind < NO_OVERVIEW + PLACEHOLDER else
                        " ".join(words[index] for index in drawn.tolist()))
            film = Film(f"s{start + row:08}", f"Film {start + row}", str(years[row]), overview,
                        tuple(names[index] for index in genres))
            picture = pictures[rng.integers(PICTURES // len(GENRES)) * len(GENRES) + genres[0]]
            yield film, None if rng.random() < NO_POSTER else _with_comment(picture, film.id)


def _word(number: int) -> str:
    """A word of letters alone, another one for each number."""
    letters = ""
    while number or not letters:
        number, letter = divmod(number, 26)
        letters += chr(ord("a") + letter)
    return letters + "o"


def _picture(number: int, rng: np.random.Generator) -> bytes:
    """A JPEG of soft spots in the colours of one genre, `number` modulo their number."""
    colour = np.random.default_rng(number % len(GENRES)).integers(40, 216, 3)
    spots = (colour + rng.normal(0, 40, (12, 8, 3))).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(spots).resize(SIZE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
    return file.getvalue()


def _with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture in other bytes: with a comment after the marker that a JPEG starts with."""
    return jpeg[:2] + b"\xff\xfe" + (2 + len(text)).to_bytes(2, "big") + text.encode() + jpeg[2:]
