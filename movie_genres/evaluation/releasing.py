"""Makes a small, versioned copy of trained models, with a card that says what they are worth."""

import json
from pathlib import Path

import pandas as pd

from movie_genres.base.files import file_digest
from movie_genres.ensemble.decisions import FILE_NAME
from movie_genres.ensemble.folder import RELEASE, find_models
from movie_genres.models import checkpoints

SHOWN = {"skill": "skill", "precision": "precision", "recall": "recall", "recall_at_precision": "recall at precision 0.61",
         "macro_f1": "macro F1", "map": "mAP"}


def release(folder, out, card, name, version, data, summary, intervals):
    """Writes small copies of the models of a folder, their decisions and `release.json`, and a model card.

    Args:
        folder: the models folder, after `tune`.
        out: folder to write to.
        card: path of the model card to write.
        name, version: of the release.
        data: a sentence on the films that they were trained on.
        summary: dict, the content of `prepared/summary.json`.
        intervals: data frame as of `figures.intervals`.

    Raises:
        InputError: as `folder.find_models`.
    """
    out, digests = Path(out), {}
    files = find_models(folder)
    for file in sorted(files, key=lambda file: bool(file.inputs)):  # the fusion model last: it names the others
        changes = {"inputs": {name: digests[name] for name in file.inputs}} if file.inputs else {}
        checkpoints.save_small(file.path, out / file.path.relative_to(folder), **changes)
        digests[file.name] = file_digest(out / file.path.relative_to(folder))
    decisions = json.loads((Path(folder) / FILE_NAME).read_text(encoding="utf-8"))
    for model, decision in decisions["models"].items():
        decision["sha256"] = digests[model.partition(":")[0]]
    (out / FILE_NAME).write_text(json.dumps(decisions, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / RELEASE).write_text(json.dumps({"name": name, "version": version}, indent=2) + "\n", encoding="utf-8")
    Path(card).write_text(_card(name, version, data, summary, intervals, decisions), encoding="utf-8")


def _card(name, version, data, summary, intervals, decisions):
    best = decisions["ranking"]["both"][0]
    thresholds = decisions["models"][best]["thresholds"]
    films = summary["films"]
    lines = [
        f"# {name} {version}", "",
        f"Genres of a film from its poster, its overview or both: {', '.join(summary['genres'])}.", "",
        "## Data", "", data,
        f"{films['train']:,} films for training, {films['validation']:,} for the choice of epochs, thresholds and weights, "
        f"{films['test']:,} for the figures below, which nothing else has seen.", "",
        "## Figures on the test films, with 95 % bootstrap intervals", "",
        f"| model | {' | '.join(SHOWN.values())} |", f"|---{'|---' * len(SHOWN)}|",
        *(f"| {model} | {' | '.join(_cell(intervals, model, metric) for metric in SHOWN)} |"
          for model in dict.fromkeys(intervals["model"])), "",
        "Skill is 1 - loss / loss of the base rates: 0 for always answering how frequent each genre is. Precision and "
        "recall are over all films and genres, macro F1 is the mean over genres, all at the tuned thresholds (0.5 for the "
        "base rates and TF-IDF).", "",
        "## Thresholds", "",
        f"Of the model {best}; those of the others are in `{FILE_NAME}`.", "",
        "| genre | test films | threshold |", "|---|---|---|",
        *(f"| {genre} | {counts['test']} | {thresholds[genre]:.2f} |" for genre, counts in
          summary["films_by_genre"].items()), "",
        "## Limits", "",
        "- English overviews and posters of feature films; series, shorts and other languages were not in the data.",
        "- Genres are what one database says, one to three a film; a genre not named there may still fit.",
        "- Probabilities of rare genres rest on few films; see the intervals and the supports above.",
        "- Posters alone tell little: rely on a film's overview where there is one.",
        "- Weights are rounded to 16 bits, which changes probabilities by less than 0.001.", "",
        "## To make it again", "",
        "`genre-data import SOURCE --track && dvc repro && "
        "python -m stages.release --name NAME --version VERSION --data TEXT`", ""]
    return "\n".join(lines)


def _cell(intervals, model, metric):
    row = intervals[(intervals["model"] == model) & (intervals["metric"] == metric)]
    if row.empty or pd.isna(row["value"].iloc[0]):
        return "–"
    return "{value:.3f} ({low:.3f} to {high:.3f})".format(**row.iloc[0])
