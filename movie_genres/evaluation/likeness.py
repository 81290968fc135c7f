"""Which films are nearly the same as another, by poster or overview, and which are unlike all others."""

import functools
import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from movie_genres.evaluation.cross_fitting import Matrix
from movie_genres.inputs.features import Posters

HASH_SIZE = 16  # a poster's hash has so many bits, squared: with 8, simple drawings of different films are alike
TOPICS = 100  # dimensions of the space in which films are near or far
COMPARED = 20_000  # films among which the nearest are looked for in that space
LINES, PAIRS = 1_000, 100_000  # texts, and pairs of them, that are compared at a time

Vectors = TypeVar("Vectors", NDArray[np.float32], Matrix)
Distances = dict[tuple[int, int], float]  # of pairs, by their places, the larger one first


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
    return list(_pairs(hashes, [line.tobytes() for line in hashes], rows, functools.partial(_near_hashes, most, neighbours)))


def like_overviews(words: Matrix, most: float, neighbours: int) -> list[Pair]:
    """Pairs of overviews, as of `cross_fitting.count_words`, of cosine distance at most `most`; see `_pairs`."""
    rows = np.flatnonzero(words.getnnz(axis=1))
    known = words[rows]
    keys = [known.indices[start:end].tobytes() + known.data[start:end].tobytes()
            for start, end in itertools.pairwise(known.indptr)]
    return list(_pairs(known, keys, rows, functools.partial(_near_texts, most, neighbours)))


def _pairs(vectors: Vectors, keys: Sequence[bytes], rows: NDArray[np.intp], near: Callable[[Vectors], Distances]
           ) -> Iterator[Pair]:
    """Pairs of films whose vectors are near; vectors with equal `keys` are equal, `rows` are the films' indices.

    A film that equals others makes one pair, with the first of them, and only these firsts are compared, each with its
    nearest neighbours: a placeholder that thousands share makes thousands of pairs, not millions.
    """
    first: dict[bytes, int] = {}
    for line, key in enumerate(keys):
        if first.setdefault(key, line) != line:
            yield Pair(int(rows[line]), int(rows[first[key]]), 0.0)
    distinct = np.array(list(first.values()), dtype=np.intp)
    for (line, other), distance in near(vectors[distinct]).items():
        yield Pair(int(rows[distinct[line]]), int(rows[distinct[other]]), distance)


def _near_hashes(most: float, neighbours: int, hashes: NDArray[np.float32]) -> Distances:
    """Each hash is compared with every other: that takes time with the square of their number."""
    count = min(neighbours, len(hashes) - 1)
    if count < 1:
        return {}
    # Of bits, the squared Euclidean distance is their number, and is computed much faster.
    distances, others = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(hashes).kneighbors()
    return {(int(max(line, other)), int(min(line, other))): float(distance)
            for line, (far, of_film) in enumerate(zip(np.square(distances) / HASH_SIZE ** 2, others))
            for distance, other in zip(far, of_film) if distance <= most}


def _near_texts(most: float, neighbours: int, texts: Matrix) -> Distances:
    """Only overviews that share a word which is rare enough are compared (see `_telling`): hardly more than there are.

    Of the pairs within the distance `most` that share a word, those stay of which one is among the nearest `neighbours` of
    the other. Of each text only these are in memory, and what `LINES` texts share with all: of many texts of one template,
    time grows with the square of their number, memory with their number.
    """
    telling = _telling(texts, 1 - most)
    by_word = telling.T.tocsr()
    near: dict[int, list[tuple[float, int]]] = defaultdict(list)  # heaps, the farthest first: distance and text, negated
    for start in range(0, texts.shape[0], LINES):
        lines, others = (telling[start:start + LINES] @ by_word).nonzero()
        lines, others = (which[lines + start > others] for which in (lines + start, others))
        for some in range(0, len(lines), PAIRS):
            pair = lines[some:some + PAIRS], others[some:some + PAIRS]
            distances = 1 - np.asarray(texts[pair[0]].multiply(texts[pair[1]]).sum(axis=1)).ravel()
            for line, other, distance in zip(*(which[distances <= most].tolist() for which in (*pair, distances))):
                for text, like in ((line, other), (other, line)):
                    nearest, found = near[text], (-max(distance, 0.0), -like)
                    (heapq.heappush if len(nearest) < neighbours else heapq.heappushpop)(nearest, found)
    return {(max(line, -other), min(line, -other)): -distance
            for line, nearest in near.items() for distance, other in sorted(nearest, reverse=True)}


def _telling(texts: Matrix, least: float) -> sparse.csr_matrix:
    """Which words of each text, of shape (texts, words), are rare: texts of cosine at least `least` share one of them.

    A text's most frequent words are left out as long as they, alone, have a norm below `least`. Then what two texts have in
    common but for the others comes to less than `least`, as the rows of `texts` have the norm 1; and the rarest word that
    two texts share is left out of neither. (Bayardo, Ma and Srikant, "Scaling Up All Pairs Similarity Search", 2007.)
    """
    ranked = texts[:, np.argsort(-texts.getnnz(axis=0), kind="stable")].tocsr()
    ranked.sort_indices()
    upto = np.cumsum(ranked.data ** 2)
    before = np.append(0, upto)[ranked.indptr[:-1]]
    of_text = upto - np.repeat(before, np.diff(ranked.indptr))
    kept = of_text >= least ** 2 - 1e-6
    starts = np.append(0, np.cumsum(kept))[ranked.indptr]
    return sparse.csr_matrix((np.ones(kept.sum(), np.float32), ranked.indices[kept], starts), shape=texts.shape)


def strangeness(words: Matrix, neighbours: int, seed: int) -> NDArray[np.float64]:
    """The mean cosine distance of each overview to its nearest `neighbours`, of shape (films,); NaN for films without one.

    Distances are those of latent semantic analysis (Deerwester et al., "Indexing by Latent Semantic Analysis", 1990), in
    which overviews that share no word can be near. Of more than `COMPARED` films, the neighbours are looked for among so
    many, drawn by the seed: with all of them, time would grow with the square of their number.
    """
    rows = np.flatnonzero(words.getnnz(axis=1))
    found = np.full(words.shape[0], np.nan)
    topics = min(TOPICS, len(rows) - 1, words.shape[1] - 1)
    if topics < 1:
        return found
    space = normalize(TruncatedSVD(topics, random_state=seed).fit_transform(words[rows]))
    order = np.arange(len(rows)) if len(rows) <= COMPARED else np.random.default_rng(seed).permutation(len(rows))
    compared, others = order[:COMPARED], order[COMPARED:]
    nearest = NearestNeighbors(n_neighbors=min(neighbours, len(compared) - 1), algorithm="brute", metric="cosine")
    nearest.fit(space[compared])
    found[rows[compared]] = np.clip(nearest.kneighbors()[0], 0, 1).mean(axis=1)  # each but itself
    if len(others):
        found[rows[others]] = np.clip(nearest.kneighbors(space[others])[0], 0, 1).mean(axis=1)
    return found
