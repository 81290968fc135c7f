import csv
import json

import numpy as np
import onnx
import onnx_models
import pandas as pd
import pytest
from conftest import REPOSITORY, image_bytes
from engines import RowEngine
from scipy.stats import fisher_exact

from genre_cli.predict import main as genre_predict
from movie_genres.base.errors import InputError, StoppedError, UserError
from movie_genres.base.files import file_digest
from movie_genres.data.vectorizing import write_overviews, write_posters
from movie_genres.ensemble.drift import compare, fisher
from movie_genres.ensemble.film_counts import (
    MEASURES,
    POSTER_MEASURES,
    FilmCounts,
    count_answers,
    count_films,
    measure_poster,
)
from movie_genres.ensemble.film_summaries import (
    Summary,
    SummaryFile,
    TrainingFilms,
    read_summary,
    read_training_films,
    write_training_films,
)
from movie_genres.ensemble.folder import find_models
from movie_genres.evaluation.releasing import release
from movie_genres.inputs.features import load_overviews, load_posters
from movie_genres.inputs.prepared import load_prepared, save_prepared
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models.answers import features_on_disk, save_answers
from movie_genres.models.network import Network
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import Tolerance, run
from movie_genres.scoring.job import Job, Share, open_job
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.rows import Row, RowFormat
from stages.tune import main as tune

GENRES = ["A", "B"]


def counted(count, seed, width=300, words=60, unknown=0.1, failing=0.02, alone=0.1, drama=0.5, answered=True):
    """Counts of random films, of some mean width, number of words and so on."""
    rng = np.random.default_rng(seed)
    facts = np.full((count, len(MEASURES)), np.nan)
    widths = np.maximum(16, rng.normal(width, width / 10, count)).round()
    facts[:, 0], facts[:, 1] = widths, widths * 1.5
    facts[:, 2], facts[:, 3] = 1 / 1.5, widths * 100
    facts[:, 4] = np.maximum(1, rng.normal(words, words / 3, count)).round()
    facts[:, 5] = rng.beta(20 * unknown, 20 * (1 - unknown), count)
    probabilities = np.column_stack([rng.beta(p, 1 - p, count) for p in (drama, 0.1)])
    return count_films(rng.choice(["poster", "both"], count, p=[alone, 1 - alone]).tolist(),
                       rng.choice(["corrupt", "ok"], count, p=[failing, 1 - failing]).tolist(), facts,
                       {"both": count_answers(probabilities, np.ones(count, int))} if answered else {})


def summary_of(films, training=None, validation=None):
    known = training and TrainingFilms(genres=GENRES, decisions="", training=training, validation=validation)
    return Summary(genres=GENRES, models="m 1", naming={}, films=films, training_films=known)


@pytest.mark.parametrize("count", [1, 8, 60, 3000])
def test_films_of_the_same_kind_raise_no_alarm(count):
    training = counted(4000, 0, answered=False)
    alarms = [drift for seed in range(1, 101)
              for drift in compare(summary_of(counted(count, seed), training, counted(60, 1000 + seed))) if drift.differs]
    assert len(alarms) <= 2  # of 100 jobs: one is to be expected at most


@pytest.mark.parametrize("count", [60, 3000])
@pytest.mark.parametrize("change, measure, sentence", [
    ({"width": 600}, "poster_width", "posters are wider: "),
    ({"width": 150}, "poster_bytes", "poster files are smaller: "),
    ({"words": 15}, "overview_words", "overviews are shorter: 15 words on average, training films 6"),
    ({"unknown": 0.5}, "unknown_words", "more words of overviews are unknown: "),
    ({"alone": 0.9}, "kinds", "films come with other inputs: "),
    ({"failing": 0.5}, "failures", "more films fail: "),
    ({"drama": 0.9}, "answers:both", "answers to films with both: A is more probable, 9"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_films_that_differ_are_told_with_the_direction(count, change, measure, sentence):
    training, validation = counted(4000, 0, answered=False), counted(500, 1)
    drifts = {drift.measure: drift for drift in compare(summary_of(counted(count, 2, **change), training, validation))}
    assert drifts[measure].differs and drifts[measure].sentence.startswith(sentence)
    related = {"poster_width", "poster_height", "poster_bytes"} if "width" in change else {measure}
    assert {name for name, drift in drifts.items() if drift.differs} == related
    for drift in drifts.values():
        assert len(drift.labels) == len(drift.found) == len(drift.expected) and 0 <= drift.distance <= 1
    assert sum(drifts["poster_width"].found) == pytest.approx(1)


def test_values_of_the_same_mean_that_spread_otherwise_are_told():
    facts = np.full((400, len(MEASURES)), np.nan)
    facts[:, 4] = np.repeat([10, 110], 200)
    other = np.full((400, len(MEASURES)), np.nan)
    other[:, 4] = 60
    films, known = (count_films(["overview"] * 400, ["ok"] * 400, each) for each in (facts, other))
    drift = next(drift for drift in compare(summary_of(films, known, known)) if drift.measure == "overview_words")
    assert drift.differs and drift.sentence == (
        "overviews have other lengths: 50% are below 11 words, of training films 0%")


def test_nothing_is_said_to_be_more_or_less_or_other_where_nothing_differs():
    films = counted(400, 0, failing=0)
    sentences = [drift.sentence for drift in compare(summary_of(films, films, films))]
    assert len(sentences) == len(MEASURES) + 3
    for word in ("more ", "less ", "fewer", "other", "wider", "lower"):
        assert not [sentence for sentence in sentences if word in sentence.replace("no more than chance", "")]
    assert "films that fail: 0.0%, of training films 0.0% (no more than chance does)" in sentences


@pytest.mark.parametrize("counts", [(3, 10, 1, 200), (0, 50, 0, 7), (7, 7, 0, 900), (50, 1000, 3, 5000), (1, 1000, 90, 5000),
                                    (60, 60, 100, 5000), (900, 1000, 5000, 5000)])
def test_the_exact_test_agrees_with_scipys(counts):
    hits, films, other_hits, other_films = counts
    sides = [fisher_exact([[hits, films - hits], [other_hits, other_films - other_hits]], side).pvalue
             for side in ("greater", "less")]
    assert fisher(*counts) == pytest.approx(min(1, 2 * min(sides)), rel=1e-6)


def test_counts_of_parts_add_up_in_any_order():
    parts = [counted(size, seed) for seed, size in enumerate((1, 50, 7))]
    forth, back = sum(parts, FilmCounts()), sum(reversed(parts), FilmCounts())
    assert forth.model_dump() == {**back.model_dump(), "kinds": forth.kinds, "statuses": forth.statuses}
    assert forth.kinds == back.kinds and forth.films == 58 and forth.measures["overview_words"].films == 58


def test_a_picture_without_pixels_has_no_proportions():
    assert np.isnan(measure_poster(0, 0, np.nan)[2]) and measure_poster(30, 60, 5) == (30, 60, 0.5, 5)


def test_what_is_not_known_is_not_compared():
    assert compare(summary_of(counted(50, 0))) == []
    films = count_films(["poster"] * 50, ["ok"] * 50, np.full((50, len(MEASURES)), np.nan))
    assert [drift.measure for drift in compare(summary_of(films, counted(50, 1), counted(50, 2)))] == ["failures"]
    assert compare(summary_of(FilmCounts(), counted(50, 1), counted(50, 2))) == []


# --- Jobs -----------------------------------------------------------------------------------------------------------

LAYOUT = RowFormat(tuple(GENRES))
FILMS = [Entry(str(number), identity=str(number).encode()) for number in range(10)]


def engine(bad=()):
    def row(item):
        facts = np.full(len(MEASURES), float(item.id) + 1)
        if item.id in bad:
            return Row(item.id, "poster", "corrupt", "broken", facts=facts)
        return Row(item.id, "both", "ok", "", "", np.array([0.25, int(item.id) / 10]), 1, facts)

    return RowEngine(row)


def score(out, bad=(), allowed=None, share=Share(), retry=False, shard_size=4, genres=LAYOUT.genres, overwrite=False):
    layout = RowFormat(genres)
    summary = SummaryFile(out.parent / f"{out.name}.json", genres, "m 1", {}, None)
    summary.check()
    files = JobFiles(out, layout, shard_size, share.count > 1, summary)
    with open_job(files, FILMS, {"genres": genres}, share, overwrite, retry) as job:
        run(job, engine(bad), Tolerance(allowed))
    return read_summary(summary.path).films if summary.path.exists() else None


def alike(first, second):
    """Whether counts are equal, whatever the order of kinds and statuses."""
    return json.dumps(first.model_dump(), sort_keys=True) == json.dumps(second.model_dump(), sort_keys=True)


def test_a_job_that_was_interrupted_counts_all_its_films(tmp_path):
    undisturbed = score(tmp_path / "a.csv")
    assert undisturbed.films == 10 and undisturbed.answers["both"].named == [3, 7]
    assert undisturbed.measures["overview_words"].sum == 55 and undisturbed.answers["both"].sums[0] == 25_000
    with pytest.raises(StoppedError):
        score(tmp_path / "b.csv", bad=["9"], allowed=0)
    assert not (tmp_path / "b.csv.json").exists()
    assert alike(score(tmp_path / "b.csv"), undisturbed)


def test_a_damaged_count_is_made_again(tmp_path):
    with pytest.raises(StoppedError):
        score(tmp_path / "b.csv", bad=["9"], allowed=0)
    (tmp_path / "b.csv.job" / "00001.counts").write_text("{")
    assert alike(score(tmp_path / "b.csv"), score(tmp_path / "a.csv"))


def test_machines_that_share_a_job_count_all_its_films(tmp_path):
    assert score(tmp_path / "parts", share=Share(2, 1)) is None
    assert alike(score(tmp_path / "parts", share=Share(2, 0)), score(tmp_path / "a.csv"))


def test_films_whose_rows_a_retry_keeps_are_counted_too(tmp_path):
    first = score(tmp_path / "a.csv", bad=["2", "9"])
    assert first.statuses == {"ok": 8, "corrupt": 2} and first.answers["both"].films == 8
    again = score(tmp_path / "a.csv", bad=["9"], retry=True)
    assert again.statuses == {"ok": 9, "corrupt": 1}
    assert alike(score(tmp_path / "a.csv", retry=True), score(tmp_path / "b.csv"))


def score_killed_at_its_summary(out, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SummaryFile, "write", killed)
        score(out)


def test_a_summary_is_written_also_by_whoever_finishes_a_killed_job(tmp_path, monkeypatch):
    score_killed_at_its_summary(tmp_path / "a.csv", monkeypatch)
    assert alike(score(tmp_path / "a.csv"), score(tmp_path / "b.csv"))


def test_a_summary_is_never_of_another_job_that_was_killed(tmp_path, monkeypatch):
    score_killed_at_its_summary(tmp_path / "a.csv", monkeypatch)
    with pytest.raises(UserError, match="there is an output already"):
        score(tmp_path / "a.csv", genres=("A", "C"))
    assert (tmp_path / "a.csv").exists() and not (tmp_path / "a.csv.json").exists()
    assert score(tmp_path / "a.csv", genres=("A", "C"), overwrite=True).films == 10


# --- From a training to a warning -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with `models`, tiny ones that stage tune has looked at, `prepared` and `posters`."""
    folder, rng = tmp_path_factory.mktemp("drift"), np.random.default_rng(0)
    for name in ("models", "posters"):
        (folder / name).mkdir()
    networks = {"cnn": onnx_models.poster_network(), "lstm": onnx_models.overview_network()}
    for name, network in networks.items():
        onnx.save(network, folder / "models" / f"{name}.onnx")
    films = []
    for number in range(120):
        path = folder / "posters" / f"{number}.jpg"
        color = tuple(rng.integers(0, 255, 3).tolist())
        path.write_bytes(image_bytes(size=(30, 45), color=color) if number > 1 else b"broken")
        words = [f"word{word}" for word in rng.integers(0, 30, 12 if number > 1 else 0)]  # the vocabulary has 18 of them
        films.append({"id": f"{number}", "title": "", "year": "", "overview": " ".join(words), "poster": str(path),
                      "genres": "|".join(rng.choice(onnx_models.GENRES, 2, replace=False)),
                      "split": ["train", "validation"][number % 2]})
    save_prepared(pd.DataFrame(films), {"genres": onnx_models.GENRES}, folder / "prepared")
    write_posters([film["poster"] for film in films], folder / "f" / "posters", onnx_models.SIZE)
    vocabulary = Vocabulary(**onnx_models.OF_OVERVIEWS["vocabulary"])
    write_overviews([film["overview"] for film in films], vocabulary, folder / "f" / "overviews")
    arrays = {"cnn": load_posters(folder / "f" / "posters"), "lstm": load_overviews(folder / "f" / "overviews")}
    for name, of_films in arrays.items():
        path, rows = folder / "models" / f"{name}.onnx", np.flatnonzero(of_films.present)
        network, answers = Network(path), np.full((120, 3), np.nan, np.float32)
        features_on_disk(folder / "answers" / name, (1, 120, network.channels))
        _, answers[rows] = network.encode(rows, of_films)
        save_answers(folder / "answers" / name, network.modality, path, answers)
    return folder


@pytest.fixture(scope="module")
def tuned(trained):
    from click.testing import CliRunner

    result = CliRunner().invoke(tune, ["--prepared", str(trained / "prepared"), "--answers", str(trained / "answers"),
                                       "--posters", str(trained / "f" / "posters"), "--overviews",
                                       str(trained / "f" / "overviews"), "--out", str(trained / "models" / "decisions.json"),
                                       "--films", str(trained / "models" / "films.json"),
                                       "--params", str(REPOSITORY / "params.yaml")])
    assert result.exit_code == 0, result.output
    return trained


def write_films(folder, films, size=None):
    """A folder of posters and a table, as they are scored; `size` of each poster, by default as they are."""
    (folder / "posters").mkdir(parents=True)
    with open(folder / "overviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "overview"), *((film["id"], film["overview"]) for film in films
                                                           if film["overview"])])
    for film in films:
        with open(film["poster"], "rb") as file:
            (folder / "posters" / f"{film['id']}.jpg").write_bytes(image_bytes(size=size) if size else file.read())


def test_films_are_counted_alike_in_training_and_in_scoring(tuned, tmp_path, run):
    films = load_prepared(tuned / "prepared").films
    write_films(tmp_path, films[films["split"] == "validation"].to_dict("records"))
    result = run(genre_predict, "--posters", tmp_path / "posters", "--overviews", tmp_path / "overviews.csv", "--models",
                 tuned / "models", "--out", tmp_path / "p.csv", "--summary", tmp_path / "s.json")
    assert result.exit_code == 3 and "unlike" not in result.stderr, result.stderr
    found = read_summary(tmp_path / "s.json")
    validation = found.training_films.validation
    assert alike(found.films.model_copy(update={"answers": {}}), validation.model_copy(update={"answers": {}}))
    assert validation.films == 60 and set(validation.answers) == {"poster", "overview", "both"}
    both, expected = found.films.answers["both"], validation.answers["both"]
    assert both.films == expected.films and both.named == expected.named
    assert np.allclose(both.sums, expected.sums, atol=both.films)  # probabilities to the last digit but one
    assert validation.measures["unknown_words"].films == 59 and validation.measures["poster_width"].sum == 59 * 30
    assert validation.kinds == {"both": 59, "poster": 1}  # the film of which nothing is known has a broken poster
    assert found.training_films.training.statuses == {"ok": 59, "not_an_image": 1}


def test_films_that_are_unlike_those_of_the_training_are_told(tuned, tmp_path, run):
    films = load_prepared(tuned / "prepared").films.to_dict("records")
    write_films(tmp_path, [{**film, "overview": "a word1"} for film in films], (90, 45))
    result = run(genre_predict, "--posters", tmp_path / "posters", "--overviews", tmp_path / "overviews.csv", "--models",
                 tuned / "models", "--out", tmp_path / "p.csv", "--summary", tmp_path / "s.json")
    lines = [line for line in result.stderr.splitlines() if line.startswith("unlike the films of the training: ")]
    assert any("overviews are shorter: 2 words on average, training films 12" in line for line in lines), result.stderr
    assert any("posters are wider: 90 pixels on average, training films 30" in line for line in lines)
    assert not any("lower" in line or "higher" in line for line in lines)


def test_a_machine_before_which_another_has_finished_leaves_the_summary_to_that(tuned, tmp_path, run, monkeypatch):
    def finish(job):
        other = job._replace(files=JobFiles(job.files.out, job.files.layout, job.files.shard_size, job.files.is_folder))
        assert by_itself(other) == 0
        return by_itself(job)

    by_itself = Job.finish
    monkeypatch.setattr(Job, "finish", finish)
    (tmp_path / "o.csv").write_text("id,overview\n1,word1\n")
    result = run(genre_predict, "--overviews", tmp_path / "o.csv", "--models", tuned / "models", "--out",
                 f"{tmp_path}/parts/", "--summary", tmp_path / "s.json")
    assert result.exit_code == 0 and "s.json: written by the machine that has finished the output" in result.stderr
    assert (tmp_path / "parts" / "_SUCCESS").exists() and not (tmp_path / "s.json").exists()


def test_models_that_know_nothing_of_their_films_still_score(tuned, tmp_path, run):
    (tmp_path / "models").mkdir()
    for name in ("cnn.onnx", "lstm.onnx"):
        (tmp_path / "models" / name).write_bytes((tuned / "models" / name).read_bytes())
    (tmp_path / "o.csv").write_text("id,overview\n1,word1 other\n2,\n")
    result = run(genre_predict, "--overviews", tmp_path / "o.csv", "--models", tmp_path / "models", "--out",
                 tmp_path / "p.csv", "--summary", tmp_path / "s.json")
    assert result.exit_code == 3 and "nothing is known of the films that the models were trained on" in result.stderr
    found = read_summary(tmp_path / "s.json")
    assert found.training_films is None and found.films.statuses == {"ok": 1, "empty_text": 1}
    assert found.films.measures["unknown_words"].sum == 500 and found.films.measures["overview_words"].films == 1
    assert set(found.films.measures).isdisjoint(list(MEASURES)[:POSTER_MEASURES])


@pytest.mark.parametrize("name, content, message", [
    ("notes.json", '{"mine": 1}', "notes.json: expected a summary of scored films; found"),
    ("p.csv", None, "expected another file than --out"),
    ("missing/s.json", None, "expected an existing folder to write to"),
])
def test_a_summary_replaces_nothing_else(tuned, tmp_path, run, name, content, message):
    (tmp_path / "o.csv").write_text("id,overview\n1,word1\n")
    if content:
        (tmp_path / name).write_text(content)
    result = run(genre_predict, "--overviews", tmp_path / "o.csv", "--models", tuned / "models", "--out", tmp_path / "p.csv",
                 "--summary", tmp_path / name)
    assert result.exit_code == 2 and message in result.stderr and "--overwrite" not in result.stderr
    assert not content or "Give another name, or remove the file." in result.stderr
    assert not (tmp_path / "p.csv").exists() and (not content or (tmp_path / name).read_text() == content)


@pytest.mark.parametrize("change, found", [
    (lambda films: {**films, "decisions": "0"}, "those of others"),
    (lambda films: {**films, "more": 1}, "more: Extra inputs are not permitted"),
    (lambda films: {**films, "edges": {"poster_width": [1]}}, "edges: Value error, other bins than those of this version"),
    (lambda films: {**films, "genres": ["A"]}, "Value error, answers for another number of genres"),
    (lambda films: {**films, "training": {**films["training"], "films": -1}}, "training.films: "),
    (lambda films: {**films, "training": {**films["training"], "measures": {"poster_width": {"counts": [1], "sum": 1}}}},
     "unlike the bins of this version"),
    (lambda films: [], "Input should be an object"),
    (lambda films: {**films, "training": {**films["training"], "films": 0}}, "other numbers of films by kind"),
    (lambda films: {**films, "training": {
        **films["training"], "measures": {"poster_width": {"counts": [0] * 38, "sum": 1}}}}, "Value error, no films"),
    (lambda films: {**films, "validation": {**films["validation"], "answers": {
        "both": {"films": 0, "named": [0], "sums": [0], "squares": [0]}}}}, "validation.answers.both.films: "),
    (lambda films: {**films, "training": {**films["training"], "films": 10**400}}, "training.films: "),
    (lambda films: {**films, "genres": []}, "genres: "),
])
def test_training_films_are_checked_when_they_are_read(tuned, tmp_path, change, found):
    content = json.loads((tuned / "models" / "films.json").read_text())
    assert read_training_films(tuned / "models", content["decisions"], content["genres"])
    (tmp_path / "films.json").write_text(json.dumps(change(content)))
    with pytest.raises(InputError) as error:
        read_training_films(tmp_path, content["decisions"], content["genres"])
    assert found in str(error.value)


def test_a_release_tells_of_the_films_of_its_training(tuned, tmp_path):
    release(tuned / "models", tmp_path / "out", 16, name="tiny", version="1")
    digest, genres = file_digest(tmp_path / "out" / "decisions.json"), find_models(tmp_path / "out")[0].genres
    released = read_training_films(tmp_path / "out", digest, genres)
    kept = read_training_films(tuned / "models", file_digest(tuned / "models" / "decisions.json"), genres)
    assert released == kept.model_copy(update={"decisions": digest})
    write_training_films(kept, tmp_path / "out" / "films.json")
    with pytest.raises(InputError, match="made with the decisions beside it; found those of others"):
        read_training_films(tmp_path / "out", digest, genres)
