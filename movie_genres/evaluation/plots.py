"""Pictures of results. Every function writes one PNG, the same bytes for the same figures."""

import contextlib
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from movie_genres.evaluation.measures import Reliability

COLORS = {"base_rate": "#999999", "cnn": "#d55e00", "lstm": "#0072b2", "fusion": "#009e73",
          "tfidf": "#cc79a7"}  # Okabe and Ito (2008)
MORE_COLORS = ("#e69f00", "#56b4e9", "#f0e442")
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e6e6e6",
         "axes.axisbelow": True, "legend.frameon": False, "figure.constrained_layout.use": True}
WITH_INTERVALS = ("skill", "f1", "macro_f1", "map", "recall_at_precision")
SHEET_COLUMNS = 3


def _color(name: str, names: Iterable[str]) -> str:
    others = [other for other in names if other not in COLORS]
    return COLORS.get(name) or MORE_COLORS[others.index(name) % len(MORE_COLORS)]


@contextlib.contextmanager
def _drawing(path: Path, size: tuple[float, float], changes: Mapping[str, Any] = {}) -> Iterator[Figure]:
    """An empty figure of `size` inches, in `STYLE` with changes; it is saved when the block ends."""
    with matplotlib.style.context({**STYLE, **changes}):
        figure = Figure(size)
        yield figure
        figure.savefig(path, dpi=100, metadata={"Software": None})


def training_curves(histories: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Losses over the epochs of every model, of what its training wrote to `Outputs.history`, and the base rates' loss."""
    with _drawing(path, (3.6 * len(histories) + 0.6, 3.6)) as figure:
        panels = figure.subplots(1, len(histories), sharey=True, squeeze=False)[0]
        for axes, (name, history) in zip(panels, histories.items()):
            best = history.iloc[history["val_loss"].argmin()]
            color = _color(name, histories)
            axes.axhline(history["base_rate_loss"].iloc[0], color=COLORS["base_rate"], linestyle=":",
                         label="base rates, validation")
            axes.plot(history["epoch"], history["loss"], color=color, linestyle="--", label="training")
            axes.plot(history["epoch"], history["val_loss"], color=color, label="validation")
            axes.plot(best["epoch"], best["val_loss"], "o", color=color,
                      label=f"lowest: {best['val_loss']:.4f} in epoch {best['epoch']:.0f}")
            axes.set(title=name, xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=8)
        panels[0].set_ylabel("binary cross-entropy")


def precision_recall(curves: pd.DataFrame, base_share: float, path: Path) -> None:
    """The table of `figures.precision_recall_curves`; guessing gets `base_share`, how many (film, genre) pairs are true."""
    names = list(curves.columns[1:])
    with _drawing(path, (6, 4.5)) as figure:
        axes = figure.subplots()
        for name in names:
            axes.plot(curves["recall"], curves[name], color=_color(name, names), label=name)
        axes.axhline(base_share, color="#cccccc", linestyle=":", label=f"guessing ({base_share:.2f})")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02),
                 title="Precision and recall over all genres, test films")
        axes.legend()


def per_genre(table: pd.DataFrame, names: Sequence[str], path: Path) -> None:
    """What `figures.per_genre` has of the models `names`, most frequent genre on top; a gap where undefined."""
    table = table.sort_values("support", kind="stable")
    lines = np.arange(len(table))
    with _drawing(path, (10, 0.26 * len(table) + 1.4)) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        for axes, metric in zip(panels, ("precision", "recall", "f1")):
            for offset, name in zip(np.linspace(0.22, -0.22, len(names)), names):
                values = table[f"{name}.{metric}"].astype(float)
                axes.hlines(lines + offset, 0, values, color=_color(name, names), alpha=0.35, linewidth=2)
                axes.plot(values, lines + offset, "o", color=_color(name, names), markersize=4, label=name)
            axes.set(title="F1" if metric == "f1" else metric, xlim=(-0.02, 1.02), ylim=(-0.7, len(table) - 0.3))
        panels[0].set_yticks(lines, [f"{genre} ({films})" for genre, films in zip(table["genre"], table["support"])])
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(names))
        figure.suptitle("Test films by genre (number of films)", x=0.01, ha="left", fontsize=10)


def intervals(table: pd.DataFrame, path: Path) -> None:
    """The table of `figures.intervals`, a panel for each metric."""
    names = list(dict.fromkeys(table["model"]))
    with _drawing(path, (2.3 * len(WITH_INTERVALS) + 0.8, 0.35 * len(names) + 1.2)) as figure:
        panels = figure.subplots(1, len(WITH_INTERVALS), sharey=True)
        for axes, metric in zip(panels, WITH_INTERVALS):
            for line, name in enumerate(reversed(names)):
                row = table[(table["model"] == name) & (table["metric"] == metric)].iloc[0]
                axes.hlines(line, row["low"], row["high"], color=_color(name, names), linewidth=2)
                axes.plot(row["value"], line, "o", color=_color(name, names))
            axes.set(title=metric.replace("_", " "), ylim=(-0.6, len(names) - 0.4))
        panels[0].set_yticks(range(len(names)), reversed(names))
        figure.suptitle("Test films, with 95 % bootstrap intervals; decisions at tuned thresholds", x=0.01, ha="left",
                        fontsize=10)


def reliability(curves: Mapping[str, tuple[Reliability, Reliability]], path: Path) -> None:
    """How often a genre is there by the probability it was given, before and after calibration, for each model."""
    count = max(len(curves), 1)
    with _drawing(path, (3.4 * count, 3.4)) as figure:
        panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
        for axes, (name, states) in zip(panels, curves.items()):
            axes.plot([0, 1], [0, 1], color="#cccccc", linestyle=":")
            for (_, means, shares), style, label in zip(states, ("--", "-"), ("before", "after")):
                axes.plot(means, shares, style, marker="o", markersize=3, color=_color(name, curves), label=label)
            axes.set(title=name, xlabel="probability", xlim=(0, 1), ylim=(0, 1))
            axes.legend(title="calibration")
        panels[0].set_ylabel("share that is true")


def confusion(matrix: NDArray[np.int_], genres: Sequence[str], title: str, path: Path) -> None:
    """The counts of `figures.top_genre_confusion`, each row as shares."""
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    side = 0.34 * len(genres) + 2
    with _drawing(path, (side, side), {"axes.grid": False, "font.size": 8}) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.argwhere(shares >= 0.005):
            axes.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if shares[row, column] > 0.55 else "black")
        axes.set_xticks(range(len(genres)), genres, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(genres)), [f"{genre} ({total})" for genre, total in zip(genres, totals)])
        axes.set(xlabel="genre named first", ylabel="films of the genre", title=title)


class SheetFilm(NamedTuple):
    """What a sheet shows of a film.

    Attributes:
        poster: of shape (height, width, 3), or None.
        genres: the true ones.
        ranked: from model name to the likeliest (genre, probability).
    """

    poster: NDArray[np.uint8] | None
    title: str
    overview: str
    genres: Collection[str]
    ranked: Mapping[str, Sequence[tuple[str, float]]]


def film_sheet(films: Sequence[SheetFilm], path: Path) -> None:
    """A sheet of sample films: poster, title, overview, true genres, and what each model says."""
    lines = -(-len(films) // SHEET_COLUMNS)
    with _drawing(path, (4.9 * SHEET_COLUMNS, 2.75 * lines),
                  {"axes.grid": False, "figure.constrained_layout.use": False}) as figure:
        for index, film in enumerate(films):
            left, top = (index % SHEET_COLUMNS) / SHEET_COLUMNS, 1 - (index // SHEET_COLUMNS) / lines
            _film(figure, film, left + 0.008, top - 0.02, 1 / SHEET_COLUMNS - 0.016, 1 / lines - 0.03)


def _film(figure: Figure, film: SheetFilm, left: float, top: float, width: float, height: float) -> None:
    """Draws one film of a sheet into a box, all in shares of the figure."""
    axes = figure.add_axes((left, top - height, 0.36 * width, height))
    axes.axis("off")
    if film.poster is None:
        axes.text(0.5, 0.5, "no poster", ha="center", va="center", color="#999999")
    else:
        axes.imshow(film.poster)
    texts = figure.add_axes((left + 0.38 * width, top - height, 0.62 * width, height), xlim=(0, 1), ylim=(0, 1))
    texts.axis("off")
    overview = textwrap.wrap(film.overview or "(no overview)", 52, max_lines=8, placeholder=" …")
    texts.text(0, 1, textwrap.shorten(film.title, 44), va="top", weight="bold")
    texts.text(0, 0.9, "\n".join(overview), va="top", fontsize=7.5, color="#333333", parse_math=False)
    end = 0.84 - len(overview) * 9.5 / (72 * height * figure.get_figheight())  # a line is 9.5 points high
    texts.text(0, end, "true: " + ", ".join(film.genres), va="center", fontsize=8, weight="bold")
    step = (end - 0.04) / len(film.ranked)  # the models share what the overview leaves
    for line, (name, ranked) in enumerate(film.ranked.items()):
        y, color = end - (line + 0.75) * step, _color(name, film.ranked)
        shown = name if len(name) < 8 else f"{name[:6]}…"
        texts.text(0, y, shown, fontsize=8, color=color, va="center")
        for place, (genre, probability) in enumerate(ranked):
            right, x = genre in film.genres, 0.16 + 0.29 * place
            texts.text(x, y, f"{genre} {probability:.2f}", fontsize=6.5, va="center",
                       color="#006d2c" if right else "#888888", weight="bold" if right else "normal")
            if step > 0.09:  # room for a bar below
                texts.hlines(y - 0.05, x, x + 0.26, color="#eeeeee", linewidth=3)
                texts.hlines(y - 0.05, x, x + 0.26 * probability, color="#006d2c" if right else "#aaaaaa", linewidth=3)
