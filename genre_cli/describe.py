"""What models are and what to expect of them, for people to read."""

import dataclasses
from collections.abc import Iterator

from movie_genres.base.errors import one_line
from movie_genres.ensemble.decisions import IN_WORDS, Decisions, choose_models
from movie_genres.ensemble.folder import ModelFile, modalities_of, model_name, models_folder, read_release
from movie_genres.ensemble.naming import USUAL, Naming
from movie_genres.ensemble.operating_points import Choice, Measured
from movie_genres.inputs.modality import BOTH
from movie_genres.models import onnx_files


def description(folder: str | None, naming: Naming = Naming()) -> str:
    """What the models of a folder are, on what films they were trained, and what they reach, by default and otherwise.

    What is wanted by `naming`, a precision or a recall, stands there too. Raises as `choose_models`.
    """
    place = models_folder(folder)
    files, decisions = choose_models(place)
    release = read_release(place)
    lines = [f"{model_name(place, files)}, in {place}", *([release.data] if release and release.data else []),
             f"models: {', '.join(map(_of_model, files))}; {_size(files) / 1e6:.1f} MB",
             f"genres, with their share of the training films: {_genres(files)}",
             *(f"licence: {licence}" for licence in (release.licences if release else []))]
    return "\n".join([*map(one_line, lines), "", *_reached(files, decisions, naming)])


def _of_model(file: ModelFile) -> str:
    return f"{file.name} ({file.modality}s)" if file.modality else f"{file.name} (of {', '.join(file.inputs)})"


def _size(files: list[ModelFile]) -> int:
    return sum(path.stat().st_size for file in files for path in {file.path, file.run_path})


def _genres(files: list[ModelFile]) -> str:
    _, _, _, metadata = onnx_files.read(files[0].path)
    rates = metadata.get("base_rates") or [None] * len(files[0].genres)
    return ", ".join(genre if rate is None else f"{genre} {rate:.1%}" for genre, rate in zip(files[0].genres, rates))


def _reached(files: list[ModelFile], decisions: Decisions, naming: Naming) -> Iterator[str]:
    names = [file.name for file in files]
    kinds = modalities_of(files)
    if len(kinds) > 1:
        kinds.append(BOTH)
    believed = {kind: found for kind in kinds if (found := decisions.believed(kind, names))}
    if not believed:
        yield "Nothing was measured of them: there is no decisions.json. Genres are named from a probability of 0.5 on."
        return
    yield (f"Measured on up to {decisions.films:,} validation films, on which each line was chosen too: other films may do "
           "some hundredths worse.")
    asked = dict.fromkeys([Naming(), dataclasses.replace(naming, max_genres=None), *USUAL])
    for kind, (name, choice) in believed.items():
        yield ""
        yield (f"{f'films with {IN_WORDS[kind]}, by {name}':<42}{'precision':>10}{'recall':>8}{'genres':>8}"
               f"{'F1 of a film':>14}")
        yield from filter(None, (_line(choice, each) for each in asked))
        if decisions.always:
            genres, measured = decisions.always
            yield _figures(f"always {', '.join(map(one_line, genres))}", measured)


def _line(choice: Choice, naming: Naming) -> str | None:
    _, measured, reached = choice.of(naming)
    if measured is None:  # a threshold of the user's own
        return None
    asked = "--{} {:g}".format(*naming.aim) if naming.aim else "by default"
    return _figures(asked + ("" if reached else " (out of reach)"), measured)


def _figures(title: str, measured: Measured) -> str:
    return (f"  {title:<40}{measured.precision:>10.2f}{measured.recall:>8.2f}{measured.genres_per_film:>8.1f}"
            f"{measured.f1_per_film:>14.2f}")
