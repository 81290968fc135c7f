"""Models that belong together, run on films: from decoded posters and token ids to the answers to give."""

import copy
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import FUSION, ModelFile, check_embeddings
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.operating_points import number_named
from movie_genres.inputs.embeddings import Embeddings
from movie_genres.inputs.features import Posters
from movie_genres.inputs.modality import BOTH, FilmArrays, Modality
from movie_genres.inputs.poster_text import SIZE, PosterReader
from movie_genres.models.answers import Floats, Rows
from movie_genres.models.network import Network, fusion_inputs, run_fusion
from movie_genres.models.run_options import RunOptions

Pixels = Mapping[tuple[int, int], NDArray[np.uint8]]  # decoded posters, by the size (height, width) they were decoded to
Encoded = dict[str, tuple[Rows, Floats, Floats]]  # by network: films that it has something to go by, features, probabilities


class Models:
    """Models that belong together: `networks` of single modalities, by name, and maybe a `fusion` over them.

    `reader` reads posters, where one of the networks looks at their text. `embeddings` are those of films that networks take
    by their names; of a film that has none, such a network has nothing to go by.

    Several threads may use them at once. `device` is one of `network.resolve_device`.

    Raises:
        InputError: a model cannot be loaded, or is no longer the file that was found.
        SettingError: a network takes other embeddings than those that are given for it.
        MissingPackageError: the device cannot be used; or a model looks at the text on posters, and nothing can read it.
    """

    def __init__(self, files: Sequence[ModelFile], decisions: Decisions, device: str = "cpu",
                 batch_size: int = RunOptions.batch_size, embeddings: Mapping[str, Embeddings] = {}):
        networks = {file.name: Network(file.run_path, file.run_digest, device, batch_size) for file in files}
        self.networks = {name: network for name, network in networks.items() if network.modality is not None}
        self.reader = PosterReader() if any(network.reads for network in self.networks.values()) else None
        check_embeddings(files, {name: given.channels for name, given in embeddings.items()})
        self._naming, self._embeddings = Naming(), {name: embeddings[name] for name in self.networks if name in embeddings}
        self.fusion, self.decisions, self.batch_size = networks.get(FUSION), decisions, batch_size
        self.genres: list[str] = next(iter(networks.values())).metadata["genres"]  # the order of all probabilities

    @property
    def names(self) -> list[str]:
        """The names of all models."""
        return [*self.networks, *([FUSION] if self.fusion else [])]

    def of(self, modality: Modality) -> dict[str, Network]:
        """The networks of a modality, by name."""
        return {name: network for name, network in self.networks.items() if network.modality is modality}

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The sizes (height, width) to which posters are decoded for these networks."""
        return list({network.image_size: None for network in self.networks.values() if network.image_size})

    def read(self, pixels: Pixels, present: NDArray[np.bool_]) -> list[str]:
        """The text on some posters, where one of the networks looks at it; arguments as of `of_posters`."""
        return [self.reader.read(picture) if there else ""
                for picture, there in zip(pixels[SIZE], present)] if self.reader else []

    def of_posters(self, pixels: Pixels, present: NDArray[np.bool_], texts: Sequence[str]) -> dict[str, FilmArrays]:
        """What each network of posters takes of some films, by its name.

        Args:
            pixels: in each of `sizes`, of shape (films, height, width, 3).
            present: whether a film has a poster, of shape (films,).
            texts: on the posters, as `read` gives them.
        """
        found: dict[str, FilmArrays] = {}
        for name, network in self.of(Modality.POSTER).items():
            if network.vocabulary:
                found[name] = network.vocabulary.encode(texts)
            elif network.image_size:
                found[name] = Posters(pixels[network.image_size], present)
        return found

    def of_overviews(self, overviews: Sequence[str]) -> dict[str, FilmArrays]:
        """What each network of overviews takes of some films, by its name; an overview is empty where a film has none."""
        return {name: network.vocabulary.encode(overviews)
                for name, network in self.of(Modality.OVERVIEW).items() if network.vocabulary}

    @property
    def by_id(self) -> bool:
        """Whether films' ids tell more than their names: embeddings are found by them."""
        return bool(self._embeddings)

    def of_embeddings(self, modality: Modality, films: Sequence[str]) -> dict[str, FilmArrays]:
        """What each network of a modality that takes embeddings takes of the films of some ids, by its name."""
        return {name: given.of(films) for name, given in self._embeddings.items()
                if self.networks[name].modality is modality}

    def encode(self, films: Mapping[str, FilmArrays]) -> Encoded:
        """What networks give of some films; `films` are what each of these networks takes of them, by its name."""
        encoded: Encoded = {}
        for name, of_films in films.items():
            rows = np.flatnonzero(of_films.present)
            encoded[name] = rows, *self.networks[name].encode(rows, of_films)
        return encoded

    def answers(self, count: int, encoded: Encoded) -> dict[str, Floats]:
        """Probabilities of `count` films by each model, as it gives them, of shape (count, genres), NaN where a model has
        nothing to go by."""
        answers: dict[str, Floats] = {}
        for name, (rows, _, probabilities) in encoded.items():
            answers[name] = np.full((count, len(self.genres)), np.nan, np.float32)
            answers[name][rows] = probabilities
        if self.fusion is not None:
            answers[FUSION] = run_fusion(self.fusion, fusion_inputs(
                count, self.fusion.metadata["channels"], len(self.genres), encoded))
        return answers

    def shown(self, count: int, encoded: Encoded) -> dict[str, NDArray[np.bool_]]:
        """Whether some network of a modality has something to go by, for each of `count` films, by modality."""
        shown = {str(network.modality): np.zeros(count, bool) for network in self.networks.values()}
        for name, (rows, _, _) in encoded.items():
            shown[str(self.networks[name].modality)][rows] = True
        return shown

    def by_kind(self, count: int, encoded: Encoded) -> dict[str, NDArray[np.bool_]]:
        """Which of `count` films have something to go by of a `poster` alone, of an `overview` alone, or of `both`."""
        shown = self.shown(count, encoded)
        both = np.all(list(shown.values()), axis=0) & (len(shown) > 1)
        return {**{kind: there & ~both for kind, there in shown.items()}, BOTH: both}

    def naming(self, naming: Naming) -> "Models":
        """The same models, which name the genres that a user wants to have named; raises as `Decisions.check`."""
        self.decisions.check(naming, self.names)
        other = copy.copy(self)
        other._naming = naming
        return other

    def decide(self, count: int, encoded: Encoded) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
        """The answers to give a user: for each film those of the model that did best on validation films like it.

        Returns:
            probabilities, of shape (count, genres), calibrated where the decisions say how, NaN for a film that no model has
            anything to go by; and of shape (count,), how many genres are named, the most probable ones.
        """
        answers = self.answers(count, encoded)
        probabilities, named = np.full((count, len(self.genres)), np.nan), np.zeros(count, int)
        for films_like_it, rows in self.by_kind(count, encoded).items():
            ranking = [name for name in self.decisions.ranking.get(films_like_it, ()) if name in answers]
            for name in reversed(ranking):  # the best one last: it prevails
                lines = np.flatnonzero(rows & ~np.isnan(answers[name][:, 0]))
                decision = self.decisions.of(name, len(self.genres), films_like_it)
                probabilities[lines] = decision.calibration(answers[name][lines])
                named[lines] = number_named(decision.point(self._naming), probabilities[lines], self._naming)
        return probabilities, named


def joined(parts: Iterable[tuple[int, Encoded]]) -> Encoded:
    """What networks give of films, from what they give of parts of these; each part comes with its first film's number."""
    found: dict[str, list[tuple[Rows, Floats, Floats]]] = {}
    for first, encoded in parts:
        for name, (rows, features, probabilities) in encoded.items():
            found.setdefault(name, []).append((rows + first, features, probabilities))
    return {name: (np.concatenate(rows), np.concatenate(features), np.concatenate(probabilities))
            for name, (rows, features, probabilities) in ((name, zip(*of_one)) for name, of_one in found.items())}
