"""Which films are nearly the same as another, by poster or overview, and which are unlike all others."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import TruncatedSVD
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from movie_genres.evaluation.cross_fitting import Matrix
from movie_genres.inputs.features import Posters

HASH_SIZE = 16  # a poster's hash has so many bits, squared: with 8, simple drawings of different films are alike
TOPICS = 100  # dimensions of the space in which films are near or far


class Pair(NamedTuple):
    """Two films, by their indices, that are nearly the same."""

    film: int
    other: int  # comes before it
    distance: float  # 0 to 1


def like_posters(posters: Posters, most: float, neighbours: int) -> list[Pair]:
    """Pairs of posters whose perceptual hashes differ in at most a share `most` of their bits; see `_pairs`.

    The hash is taken of the decoded pixels as `vectorize` left them (Zauner, "Implementation and Benchmarking of Perceptual
    Image Hash Functions", 2010).
    """
    rows = np.flatnonzero(posters.present)
    hashes = np.array([imagehash.phash(Image.fromarray(posters.batch(rows[i:i + 1])[0]), HASH_SIZE).hash.ravel()
                       for i in range(len(rows))], dtype=np.float32).reshape(len(rows), HASH_SIZE ** 2)
    return list(_pairs(hashes, [line.tobytes() for line in hashes], rows, "hamming", most, neighbours))


def like_overviews(words: Matrix, most: float, neighbours: int) -> list[Pair]:
    """Pairs of overviews, as of `cross_fitting.count_words`, of cosine distance at most `most`; see `_pairs`."""
    rows = np.flatnonzero(words.getnnz(axis=1))
    known = words[rows]
    keys = [known.indices[start:end].tobytes() + known.data[start:end].tobytes()
            for start, end in itertools.pairwise(known.indptr)]
    return list(_pairs(known, keys, rows, "cosine", most, neighbours))


def _pairs(vectors: NDArray[np.float32] | Matrix, keys: Sequence[bytes], rows: NDArray[np.intp], metric: str, most: float,
           neighbours: int) -> Iterator[Pair]:
    """Pairs of films whose vectors are near; vectors with equal `keys` are equal, `rows` are the films' indices.

    A film that equals others makes one pair, with the first of them, and only these firsts are compared, each with its
    nearest `neighbours`: a placeholder that thousands share makes thousands of pairs, not millions.
    """
    first: dict[bytes, int] = {}
    for line, key in enumerate(keys):
        if first.setdefault(key, line) != line:
            yield Pair(int(rows[line]), int(rows[first[key]]), 0.0)
    distinct = np.array(list(first.values()), dtype=np.intp)
    distances, others = _nearest(vectors[distinct], metric, neighbours)
    near = {(int(max(line, other)), int(min(line, other))): float(distance)
            for line, (far, of_film) in enumerate(zip(distances, others))
            for distance, other in zip(far, of_film) if distance <= most}
    for (line, other), distance in near.items():
        yield Pair(int(rows[distinct[line]]), int(rows[distinct[other]]), distance)


def _nearest(vectors: NDArray[np.floating] | Matrix, metric: str, neighbours: int
             ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distances to the nearest other vectors, and which these are, each of shape (vectors, up to `neighbours`)."""
    count = min(neighbours, vectors.shape[0] - 1)
    if count < 1:
        return np.zeros((vectors.shape[0], 0)), np.zeros((vectors.shape[0], 0), dtype=np.intp)
    if metric == "hamming":  # of bits, the squared Euclidean distance is their number, and is computed much faster
        distances, others = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(vectors).kneighbors()
        return np.square(distances) / vectors.shape[1], others
    distances, others = NearestNeighbors(n_neighbors=count, algorithm="brute", metric=metric).fit(vectors).kneighbors()
    return np.clip(distances, 0, 1), others


def strangeness(words: Matrix, neighbours: int, seed: int) -> NDArray[np.float64]:
    """The mean cosine distance of each overview to its nearest `neighbours`, of shape (films,); NaN for films without one.

    Distances are those of latent semantic analysis (Deerwester et al., "Indexing by Latent Semantic Analysis", 1990), in
    which overviews that share no word can be near.
    """
    rows = np.flatnonzero(words.getnnz(axis=1))
    found = np.full(words.shape[0], np.nan)
    topics = min(TOPICS, len(rows) - 1, words.shape[1] - 1)
    if topics < 1:
        return found
    space = normalize(TruncatedSVD(topics, random_state=seed).fit_transform(words[rows]))
    found[rows] = _nearest(space, "cosine", neighbours)[0].mean(axis=1)
    return found
