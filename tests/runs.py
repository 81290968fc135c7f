"""What a run of the pipeline leaves, of films and answers of chance, and its site: for tests of the pages about it."""

import json

import numpy as np
import pandas as pd
from conftest import options_of, splits_of

from movie_genres.ensemble.decisions import write_decisions
from movie_genres.evaluation import figures as measured
from movie_genres.evaluation.figures import EvaluateOptions, compare, measure_all
from movie_genres.evaluation.tuning import TuneOptions, tune
from movie_genres.inputs.modality import MODALITIES
from movie_genres.inputs.prepared import load_prepared, save_prepared
from movie_genres.models.answers import load_answers, save_answers
from movie_genres.reporting.pages import pages_of_run, write_markdown
from movie_genres.reporting.run import read_run
from movie_genres.reporting.site import write_site

BAD = "<script>alert(1)</script>"
HOSTILE = [f"{BAD}", "[a](javascript:b)", "A|B *c*", "\u202egnikool", "--accent", "NA", "sci-fi", "Sci Fi"]
USUAL = [f"Genre {letter}" for letter in "ABCDEFGH"]


def write_run(folder, genres, models=("cnn", "lstm", "fusion"), titles="Film", films=240):
    """What the stages leave, of films of chance; the last genre has no test film. Each model knows a little of the truth."""
    rng = np.random.default_rng(0)
    split = np.array(["train", "validation", "test"])[np.arange(films) % 3]
    labels = rng.random((films, len(genres))) < np.linspace(0.6, 0.15, len(genres))
    labels[split == "test", -1] = False
    table = pd.DataFrame({"id": [f"f/{row}#" for row in range(films)], "title": titles, "year": "1999", "overview": "words",
                          "genres": "", "poster": "", "split": split})
    names = [genre.replace("|", "/") for genre in genres]  # a bar joins them in the file
    table["genres"] = ["|".join(name for name, there in zip(names, of_film) if there) for of_film in labels]
    of_split = {genre: {name: int(labels[split == name, place].sum()) for name in ("train", "validation", "test")}
                for place, genre in enumerate(names)}
    save_prepared(table, {"genres": names, "films": {name: films // 3 for name in ("train", "validation", "test")},
                          "films_by_genre": of_split, "without_poster": 0, "without_overview": 0,
                          "kept_together_as_duplicates": 0, "left_out": {"repeated_id": 2}}, folder / "prepared")
    (folder / "metrics").mkdir()
    (folder / "history").mkdir()
    for place, name in enumerate(models):
        file = folder / f"{name}.onnx"
        file.write_text(name)
        said = [np.clip(0.25 + 0.35 * labels + rng.normal(0, 0.15, labels.shape), 0.01, 0.99).astype(np.float32)
                for _ in range(3)]
        modality = None if name == "fusion" else MODALITIES[place]
        if modality:
            said[0][place] = np.nan  # a film that it knows nothing of
            np.save(_folder(folder / "answers" / name) / "features.npy", np.zeros((1, films, 1), np.float16))
        save_answers(folder / "answers" / name, modality, file, said[0],
                     {} if modality else dict(zip(MODALITIES, said[1:])))
        (folder / "history" / f"{name}.json").write_text(json.dumps({"skill": 0.25, "parameters": 4321, "epoch": 2}))
        pd.DataFrame({"epoch": [1, 2], "loss": [0.6, 0.5], "val_loss": [0.6, 0.55], "val_precision": [None, 0.5],
                      "val_recall": [0.0, 0.25], "base_rate_loss": 0.6}).to_csv(folder / "history" / f"{name}.csv")
    np.save(folder / "tfidf.npy", np.clip(labels * 0.3 + rng.random(labels.shape) * 0.5, 0.01, 0.99))
    _evaluate(folder)
    return folder


def _folder(path):
    path.mkdir(parents=True)
    return path


def _evaluate(folder):
    """Tables and figures as the stages write them, without pictures."""
    films, answers = load_prepared(folder / "prepared"), load_answers(folder / "answers")
    decisions = tune(answers, films.labels, splits_of(films), films.genres, options_of(TuneOptions))
    write_decisions(decisions, {name: of_model.digest for name, of_model in answers.items()}, folder / "decisions.json",
                    films.genres)
    options = options_of(EvaluateOptions, resamples=20)
    comparison = compare(films, answers, decisions, {"tfidf": np.load(folder / "tfidf.npy")}, options.min_films)
    (folder / "metrics" / "evaluate.json").write_text(json.dumps(measure_all(comparison, options)))
    tables = {"pr_curves": measured.precision_recall_curves(comparison),
              "operating_points": measured.operating_points(comparison),
              "per_genre": measured.per_genre(comparison, films.genres),
              "intervals": measured.intervals(comparison, options)}
    for name, table in tables.items():
        (folder / "plots").mkdir(exist_ok=True)
        table.to_csv(folder / "plots" / f"{name}.csv", index=False)


def run_of(folder, earlier=None):
    settings = {"evaluate": {"min_films": 10, "precision": 0.61}, "tune": {"calibration": "temperature"}, "encoders": {},
                "cnn": {"architecture": "re_sidual", "epochs": 2}, "fusion": {"inputs": ["cnn", "lstm"]}}
    return read_run(folder / "prepared", folder / "answers", folder / "decisions.json", {"tfidf": folder / "tfidf.npy"},
                    folder / "metrics" / "evaluate.json", folder / "plots", folder / "history", settings, earlier)


def site_of(run, out, audit=None):
    def build(folder):
        write_markdown(run, folder)
        return pages_of_run(run, audit)

    write_site(out, "Films", build)
    return {path.name: path.read_text() for path in out.glob("*.html")}
