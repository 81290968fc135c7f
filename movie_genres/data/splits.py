"""Chooses the genres and splits films into train, validation and test without leaks."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import UserError
from movie_genres.data.films import Film
from movie_genres.inputs.text import normalise

SPLITS = ("train", "validation", "test")
Labels = NDArray[np.integer]  # (films, genres), 0 and 1


def choose_genres(films: Sequence[Film], min_films: int = 3, top: int | None = None, only: Sequence[str] = ()) -> list[str]:
    """Fixes the genre list: those with `min_films`, the `top` most frequent, alphabetical; or `only` these, in their order.

    Raises:
        UserError: a genre of `only` occurs nowhere, or fewer than two genres are left.
    """
    counts = Counter(genre for film in films for genre in film.genres)
    unknown = sorted(set(only) - set(counts))
    if unknown:
        raise UserError(f"the genre list names {', '.join(unknown)}, which no film has; the films have "
                        + ", ".join(sorted(counts)))
    frequent = [genre for genre in sorted(counts, key=lambda genre: (-counts[genre], genre)) if counts[genre] >= min_films]
    genres = list(dict.fromkeys(only)) or sorted(frequent[:top])
    if len(genres) < 2:
        raise UserError(f"expected at least two genres; found {genres or 'none'} with at least {min_films} films each")
    return genres


def group_duplicates(films: Sequence[Film], digests: Mapping[str, str]) -> NDArray[np.intp]:
    """Groups films that are the same for a model: equal normalised overview or equal poster bytes, also in chains.

    `digests` are those of the posters by film id, for films that have one. Gives the index of the first film of each film's
    group, of shape (films,).
    """
    parent = list(range(len(films)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[bytes | str, int] = {}
    for index, film in enumerate(films):
        words = normalise(film.overview)  # of which a digest is kept: all overviews once more would take much memory
        for key in (words and hashlib.sha256(words.encode(errors="surrogatepass")).digest(), digests.get(film.id)):
            if key:
                earlier = root(first.setdefault(key, index))
                parent[max(earlier, root(index))] = min(earlier, root(index))
    return np.array([root(index) for index in range(len(films))], dtype=int)


def stratified_split(labels: Labels, groups: NDArray[np.intp], fractions: Sequence[float], seed: int) -> NDArray[np.intp]:
    """Splits films so that each genre has its share in every split, by iterative stratification.

    The rarest genre is dealt out first, each film to the split that lacks most of it (Sechidis, Tsoumakas and Vlahavas,
    "On the stratification of multi-label data", ECML PKDD 2011). Films of one group stay together. A genre with at
    least three groups of films gets at least one film in every split that is to have any.

    `groups`, of shape (films,), are equal for films that must stay together; `fractions`, the share of each split, sum to 1;
    `seed` decides ties. Gives an index into `fractions` for each film.
    """
    rng = np.random.default_rng(seed)
    unit_of = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(unit_of).astype(float)
    weights = np.zeros((len(sizes), labels.shape[1]))  # how many films of the unit have the genre
    np.add.at(weights, unit_of, labels)
    shares = np.asarray(fractions, dtype=float)
    lacking = np.outer(shares, weights.sum(axis=0))  # (splits, genres): films of the genre still to be given
    largest = shares.argmax()
    small = (shares > 0) & (np.arange(len(shares)) != largest)
    lacking[small] = np.maximum(lacking[small], 1.0)  # one of a rare genre for every split, at the cost of the largest
    lacking[largest] = weights.sum(axis=0) - lacking[small].sum(axis=0)
    room = shares * sizes.sum()
    target = np.full(len(sizes), -1)

    def assign(unit: int, priorities: list[float]) -> None:
        best = _largest(range(len(shares)), priorities)
        best = _largest(best, [float(room[split]) for split in best])
        target[unit] = split = best[rng.integers(len(best))]
        lacking[split] -= weights[unit]
        room[split] -= sizes[unit]

    while (left := (weights[target < 0] > 0).sum(axis=0)).any():
        genre = np.where(left > 0, left, np.iinfo(int).max).argmin()
        for unit in rng.permutation(np.flatnonzero((target < 0) & (weights[:, genre] > 0))):
            # A large group goes first to where it fits: rare genres must not be used up by it.
            assign(unit, lacking[:, genre].tolist())
    for unit in rng.permutation(np.flatnonzero(target < 0)):
        assign(unit, room.tolist())
    return target[unit_of]


def _largest(items: Sequence[int], values: Sequence[float]) -> list[int]:
    """The items whose values are the largest, but for rounding."""
    most = max(values)
    return [item for item, value in zip(items, values) if abs(value - most) <= 1e-8 + 1e-5 * abs(most)]


def draw_evenly(labels: Labels, candidates: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """Draws `count` of the `candidates`, indices of films, so that genres are on numbers of films as even as can be.

    Each film is drawn, at random, of those that have the genre that is on the fewest films so far and has films left. So
    rare genres lose the fewest films, and those of frequent genres alone are left out first. A film of no genre is never
    drawn: at least `count` candidates must have one. (Undersampling of several labels at once, after Charte, Rivera, del
    Jesus and Herrera, "Addressing imbalance in multilabel classification", 2015.) Gives ascending indices.
    """
    shuffled = np.random.default_rng(seed).permutation(candidates)
    has = labels[shuffled] > 0
    left = [iter(np.flatnonzero(of_genre).tolist()) for of_genre in has.T]
    genres_of = [np.flatnonzero(of_film).tolist() for of_film in has]
    on = dict.fromkeys(range(labels.shape[1]), 0)  # films drawn, by genre, of those that may have films left
    drawn = np.zeros(len(shuffled), dtype=bool)
    while count:
        rarest = min(on, key=on.__getitem__)
        film = next((film for film in left[rarest] if not drawn[film]), None)
        if film is None:
            del on[rarest]
            continue
        drawn[film], count = True, count - 1
        for genre in on.keys() & genres_of[film]:
            on[genre] += 1
    return np.sort(shuffled[drawn])


def undersample(labels: Labels, counted: NDArray[np.bool_], most: float, seed: int) -> NDArray[np.bool_]:
    """Whether to drop each film, so that the most frequent genre is on no more than a share `most` of the `counted` films.

    Only films with no other genre are dropped, at random, so that no rarer genre loses a film; where they do not
    suffice, all of them are.
    """
    genre = labels[counted].sum(axis=0).argmax()
    with_genre, total = labels[counted, genre].sum(), counted.sum()
    excess = max(0, int(np.ceil((with_genre - most * total) / (1 - most))))
    alone = np.flatnonzero(counted & (labels[:, genre] > 0) & (labels.sum(axis=1) == 1))
    dropped = np.zeros(len(labels), dtype=bool)
    dropped[np.random.default_rng(seed).permutation(alone)[:excess]] = True
    return dropped
