"""Why a film has its genres: where on the poster, which words, how much from each; and whether that is so."""

import hashlib
import io
import json
import re

import numpy as np
import onnx
import onnx_models
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import CHANNELS, GENRES, OF_OVERVIEWS, OF_POSTERS, TOKENS, set_metadata
from PIL import Image

from benchmarks.faithfulness import main as faithfulness
from genre_cli.predict import main as genre_predict
from movie_genres import Predictor
from movie_genres.base.errors import InputError, SettingError, UserError
from movie_genres.explaining.asking import Film, Question, log_odds
from movie_genres.explaining.explanation import ExplainedFilm, Explanation, explanation_line, read_explanations
from movie_genres.explaining.faithfulness import WAYS, falls, summary
from movie_genres.explaining.hiding import BLURRED, FILLS, GRID, MEAN, each_cell, hide_cells, hide_words, spans
from movie_genres.explaining.pictures import SIZE, heat_picture
from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.inputs.poster_text import READER
from movie_genres.inputs.poster_text import SIZE as POSTER_SIZE
from movie_genres.scoring import explain as explaining
from movie_genres.scoring.explain import picture_name

TALL = (24, 16)  # (height, width) in pixels of posters: a cell has 2 by 2 of them
CORNER = (slice(0, 2), slice(0, 2))  # where the network of posters looks
TEXT = "Word1, word2 - WORD3! Word4…"
RATES = log_odds(np.array(OF_POSTERS["base_rates"]))


def trust(*odds):
    """Log-odds of the genres by a network's first feature."""
    return np.outer([1, 0, 0, 0], odds).astype(np.float32)


def poster_network():
    """Genre A is as probable as the upper left corner of a poster is bright."""
    corner = np.zeros((*TALL, 3, CHANNELS), np.float32)
    corner[(*CORNER, slice(None), 0)] = 1 / 255 / 12
    steps = [helper.make_node("Cast", ["poster"], ["pixels"], to=TensorProto.FLOAT),
             helper.make_node("Reshape", ["pixels", "flat"], ["line"]),
             helper.make_node("MatMul", ["line", "corner"], ["features"])]
    given = helper.make_tensor_value_info("poster", TensorProto.UINT8, ["batch", *TALL, 3])
    weights = {"flat": np.array([-1, corner.size // CHANNELS]), "corner": corner.reshape(-1, CHANNELS)}
    return onnx_models.network(given, steps, {**weights, "trust": trust(3, -1, 0.5)}, {**OF_POSTERS, "image_size": TALL})


def overview_network():
    """Genre A is more probable by `word3`, and less by `word4`."""
    vectors = np.zeros((TOKENS, CHANNELS), np.float32)
    vectors[[2 + 3, 2 + 4], 0] = 2, -1
    steps = [helper.make_node("Gather", ["vectors", "overview"], ["words"]),
             helper.make_node("ReduceSum", ["words", "length"], ["features"], keepdims=0)]
    given = helper.make_tensor_value_info("overview", TensorProto.INT32, ["batch", "length"])
    return onnx_models.network(given, steps, {"vectors": vectors, "length": np.array([1]), "trust": trust(1, 0.5, 0)},
                               OF_OVERVIEWS)


def fusion_network(digests):
    """Adds what the others see, and more where both are there."""
    steps = [helper.make_node("Add", ["cnn", "lstm"], ["seen"]), helper.make_node("MatMul", ["seen", "trust"], ["odds"]),
             helper.make_node("ReduceProd", ["present", "models"], ["both"], keepdims=1),
             helper.make_node("Add", ["odds", "both"], ["more"]), helper.make_node("Sigmoid", ["more"], ["probabilities"])]
    sizes = {"present": 2, "cnn": CHANNELS, "cnn_answers": len(GENRES), "lstm": CHANNELS, "lstm_answers": len(GENRES)}
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()]
    found = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(GENRES)])
    weights = {"trust": trust(1.5, -1, 0.2), "models": np.array([1])}
    graph = helper.make_graph(steps, "fusion", given, [found],
                              [numpy_helper.from_array(values, name) for name, values in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    about = {"format": 1, "genres": GENRES, "base_rates": OF_POSTERS["base_rates"], "modality": None,
             "inputs": digests, "channels": {"cnn": CHANNELS, "lstm": CHANNELS}}
    helper.set_model_props(model, {onnx_models.KEY: json.dumps(about)})
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a network of posters, one of overviews, and a fusion of both."""
    folder, digests = tmp_path_factory.mktemp("models"), {}
    for name, model in (("cnn", poster_network()), ("lstm", overview_network())):
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
        digests[name] = hashlib.sha256(model.SerializeToString()).hexdigest()
    (folder / "fusion.onnx").write_bytes(fusion_network(digests).SerializeToString())
    return folder


@pytest.fixture(scope="module")
def predictor(folder):
    return Predictor.load(folder)


@pytest.fixture(scope="module")
def pixels():
    """A dark poster with a bright upper left corner."""
    picture = np.random.default_rng(0).integers(0, 60, (*TALL, 3), dtype=np.uint8)
    picture[CORNER] = 250
    return picture


@pytest.fixture(scope="module")
def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def only(folder, tmp_path, *names):
    for name in names:
        (tmp_path / f"{name}.onnx").write_bytes((folder / f"{name}.onnx").read_bytes())
    return Predictor.load(tmp_path)


@pytest.mark.parametrize("overview", [None, TEXT])
def test_a_poster_is_hottest_where_its_network_looks(predictor, png, overview):
    why = predictor.explain(png, overview, ["A", "B"])
    assert why["A"].poster.shape == GRID and why["A"].poster.dtype == np.float32
    assert np.unravel_index(why["A"].poster.argmax(), GRID) == (0, 0) and why["A"].poster[0, 0] > 0.5
    assert np.abs(why["A"].poster.ravel()[1:]).max() < 1e-6
    assert np.unravel_index(why["B"].poster.argmin(), GRID) == (0, 0)  # it speaks against B


@pytest.mark.parametrize("with_poster", [False, True])
def test_the_word_that_a_network_counts_weighs_most(predictor, png, with_poster):
    why = predictor.explain(png if with_poster else None, TEXT, ["A"])["A"]
    assert "".join(text for text, _ in why.words) == TEXT
    weights = dict(why.words)
    assert max(weights, key=weights.get) == "WORD3" and min(weights, key=weights.get) == "Word4"
    assert weights[", "] == weights["! "] == 0 and abs(weights["Word1"]) < 1e-6


@pytest.mark.parametrize("given", [(True, None), (False, TEXT), (True, TEXT)])
def test_shares_add_up_from_the_base_rates_to_what_is_said(predictor, png, given):
    poster, overview = png if given[0] else None, given[1]
    said = predictor.predict_one(poster, overview).probabilities
    why = predictor.explain(poster, overview, GENRES)
    shown = [kind for kind, part in ((POSTER, poster), (OVERVIEW, overview)) if part]
    for number, genre in enumerate(GENRES):
        assert list(why[genre].shares) == shown and why[genre].probability == pytest.approx(said[genre], abs=1e-6)
        assert sum(why[genre].shares.values()) == pytest.approx(log_odds(np.array(said[genre])) - RATES[number], abs=1e-4)
        assert (why[genre].poster is None, why[genre].words is None) == (poster is None, overview is None)


def test_shares_of_both_are_shapley_values(predictor, png):
    poster, overview = -250 / 255, -1.0  # log-odds of genre B by the fusion, of each alone; both together have 1 more
    shares = predictor.explain(png, TEXT, ["B"])["B"].shares
    assert shares[POSTER] == pytest.approx((poster - RATES[1] + poster + 1) / 2, abs=1e-4)
    assert shares[OVERVIEW] == pytest.approx((overview - RATES[1] + overview + 1) / 2, abs=1e-4)


def test_what_the_model_that_answers_does_not_look_at_has_no_share(folder, png, tmp_path):
    why = only(folder, tmp_path, "cnn", "lstm").explain(png, TEXT, ["A"])["A"]  # no fusion: the overview's network answers
    assert list(why.shares) == [OVERVIEW] and why.poster is None and why.words


def test_named_genres_are_explained_unless_others_are_asked_for(predictor, png):
    assert list(predictor.explain(png, TEXT)) == list(predictor.predict_one(png, TEXT).genres)
    with pytest.raises(SettingError, match="genres: expected names among A, B, C; found Opera"):
        predictor.explain(png, TEXT, ["A", "Opera"])
    with pytest.raises(UserError, match="0: empty, poster: the file is empty"):
        predictor.explain(b"")


def test_models_without_base_rates_are_not_explained(folder, tmp_path):
    model = onnx.load(folder / "lstm.onnx")
    set_metadata(model, {**OF_OVERVIEWS, "base_rates": None})
    onnx.save(model, tmp_path / "lstm.onnx")
    with pytest.raises(UserError, match="do not say how frequent genres are"):
        Predictor.load(tmp_path).explain(overview=TEXT)


def test_words_that_come_too_late_weigh_nothing(predictor):
    words = predictor.explain(overview=" ".join(["word1"] * 9 + ["word3", "word4"]), genres=["A"])["A"].words
    moved_up, never_seen = words[-3][1], words[-1][1]
    assert moved_up == never_seen == 0
    assert [weight < -1 for text, weight in words if text == "word1"] == [True] * 9  # without one of them, word3 moves up


@pytest.mark.parametrize("text", ["", "?!", "Don’t look—NOW!", "cafe\u0301s\tà la\ncarte", "日本 «x» \u202eabc", "a" * 300])
def test_spans_join_to_the_text(text):
    parts = spans(text)
    assert "".join(parts) == text and len(parts) % 2 == 1
    assert hide_words(parts, {1}, "it") == "".join([*parts[:1], *["it"] * (len(parts) > 1), *parts[2:]])


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("size", [TALL, (6, 4), (50, 31)])
def test_hidden_cells_show_something_else_and_others_stay(fill, size):
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    cells = np.zeros((3, *GRID), bool)
    cells[1, :6], cells[2] = True, True
    none, half, everything = hide_cells(picture, cells, fill)
    assert (none == picture).all() and (half[-(size[0] // 2):] == picture[-(size[0] // 2):]).all()
    assert everything.std() < 0.7 * picture.std() and (half[:size[0] // 2] == everything[:size[0] // 2]).all()
    assert fill == BLURRED or (everything == everything[0, 0]).all() and fill == MEAN


def test_a_film_of_which_nothing_is_hidden_gets_its_own_answer(predictor, pixels):
    question = Question(predictor._models, Film({TALL: pixels}, TEXT))
    assert question.sees_pixels and question.modalities == [POSTER, OVERVIEW]
    nothing = np.zeros((1, *GRID), bool)
    assert question.ask(nothing, [TEXT]) == pytest.approx(question.ask(), abs=1e-5)
    assert question.ask(overviews=[""])[0] == pytest.approx(question.ask_alone(POSTER), abs=1e-5)


class Reader:
    """Stands for the reader of posters, which takes long, and counts what it reads."""

    count = 0

    def read(self, pixels):
        Reader.count += 1
        return "word3"


def test_the_text_on_a_poster_is_read_once_and_counts_in_its_share(png, tmp_path, monkeypatch):
    model = overview_network()
    set_metadata(model, {**OF_OVERVIEWS, "modality": "poster", "image_size": POSTER_SIZE, "reader": READER})
    onnx.save(model, tmp_path / "titles.onnx")
    monkeypatch.setattr("movie_genres.ensemble.scorer.PosterReader", Reader)
    models = Predictor.load(tmp_path)._models
    question = Question(models, Film({POSTER_SIZE: np.zeros((*POSTER_SIZE, 3), np.uint8)}))
    assert question.ask(each_cell((2, 2))) == pytest.approx(np.tile(question.ask(), (4, 1))) and Reader.count == 1
    why = Predictor.load(tmp_path).explain(png, genres=["A"])["A"]
    assert why.poster is None and why.shares == {POSTER: pytest.approx(2, abs=1e-4)}


def test_a_fusion_is_explained_without_a_model_that_it_was_trained_on(folder, png, tmp_path):
    why = only(folder, tmp_path, "cnn", "fusion").explain(png, genres=["A"])["A"]
    assert list(why.shares) == [POSTER] and why.poster.argmax() == 0


FILMS = [
    ExplainedFilm("caf\\xe9/../a", {"Sci-Fi": Explanation("Sci-Fi", 0.5, np.array([[0.25, -1.5]], np.float32),
                                                          [("\u202e<b>", 0.5), (" ", 0.0)], {POSTER: 0.25, OVERVIEW: -1.0}),
                                    "A": Explanation("A", 0.125, None, None, {OVERVIEW: 1.0})}),
    ExplainedFilm("b", {}, "corrupt", "poster: damaged"),
]


def test_explanations_are_read_as_they_were_written(tmp_path):
    (tmp_path / "e.jsonl").write_text("".join(f"{explanation_line(film)}\n" for film in FILMS))
    first, second = read_explanations(tmp_path / "e.jsonl")
    assert first.id == FILMS[0].id and second == FILMS[1]
    for genre, why in FILMS[0].genres.items():
        found = first.genres[genre]
        assert found[:2] == why[:2] and found[3:] == why[3:]
        assert np.array_equal(found.poster, why.poster) if why.poster is not None else found.poster is None
    assert json.loads(explanation_line(FILMS[0]))["genres"]["A"] == {
        "probability": 0.125, "poster": None, "words": None, "shares": {"overview": 1.0}}


@pytest.mark.parametrize("line, message", [
    ("{", "e.jsonl: expected explanations, a film a line; found"),
    ('{"id": 1, "genres": {}}', "in line 2: "),
    ('{"id": "a", "genres": {"A": {"probability": NaN, "poster": null, "words": null, "shares": {}}}}', "in line 2: "),
    ('{"id": "a", "genres": {"A": {"probability": 1, "poster": [[1], [1, 2]], "words": null, "shares": {}}}}', "found"),
])
def test_a_damaged_file_of_explanations_is_refused(tmp_path, line, message):
    (tmp_path / "e.jsonl").write_text(f"{explanation_line(FILMS[1])}\n{line}\n")
    with pytest.raises(InputError, match=re.escape(message)):
        list(read_explanations(tmp_path / "e.jsonl"))


@pytest.mark.parametrize("film", ["../../etc/passwd", "a\0b", "con", "", "\udce9\n\u202e", "x" * 500, "日本/映画",
                                  "映" * 100, "-rf *"])
def test_pictures_have_names_that_any_file_system_takes(film, tmp_path):
    name = picture_name(3, film, 2, "Film/Noir")
    assert re.fullmatch(r"003-[\w-]{1,40}-2-Film-Noir\.png", name)
    assert len(f".partial-{picture_name(999, film, 999, film)}".encode()) <= 143  # the least that file systems take
    (tmp_path / name).write_bytes(b"")


def test_heat_is_orange_for_a_genre_and_blue_against_it():
    grid = np.zeros(GRID, np.float32)
    grid[2, 2], grid[9, 6] = 1, -1
    picture = np.asarray(heat_picture(np.full((*SIZE, 3), 100, np.uint8), grid)).astype(int)
    for (row, column), hotter, colder in (((2, 2), 0, 2), ((9, 6), 2, 0)):
        seen = picture[row * 40 + 20, column * 40 + 20]
        assert seen[hotter] > seen[colder] + 50
    assert (picture[-1, 0] == 100).all()
    assert (np.asarray(heat_picture(np.full((*SIZE, 3), 100, np.uint8), np.zeros(GRID, np.float32))) == 100).all()


def test_hiding_what_is_marked_counts_more_than_hiding_at_random(predictor, pixels):
    for film in (Film({TALL: pixels}), Film(None, TEXT), Film({TALL: pixels}, TEXT)):
        found = falls(predictor._models, film, np.random.default_rng(0), 5)
        assert found == falls(predictor._models, film, np.random.default_rng(0), 5) and set(found) == set(WAYS)
        for marked, scattered, moved in found.values():
            assert marked > 0.05 and scattered < marked and moved < marked
    assert falls(predictor._models, Film(None, "?"), np.random.default_rng(0)) is None


def test_summary_gives_a_mean_within_its_interval():
    mean, low, high = summary([0.0, 1.0] * 50)
    assert mean == 0.5 and 0.38 < low < 0.45 < 0.55 < high < 0.62


def test_the_benchmark_tells_of_test_films(folder, png, tmp_path, run):
    lines = ["id,overview,poster,split"]
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(png if number else png[:50])
        lines.append(f'{number},"{TEXT}",{tmp_path / str(number)}.png,{"train" if number == 3 else "test"}')
    (tmp_path / "films.csv").write_text("\n".join(lines) + "\n")
    result = run(faithfulness, "--prepared", tmp_path, "--models", folder, "--draws", 2)
    assert result.exit_code == 0, result.output
    rows = re.findall(r"│ (poster|overview|both) +│ (as explained|in another way) +│ 2 +│ (0\.\d+)", result.output)
    assert len(rows) == 6 and all(float(marked) > 0.05 for _, _, marked in rows)


@pytest.fixture
def posters(tmp_path, png):
    folder = tmp_path / "posters"
    folder.mkdir()
    for name in ("a", "b c"):
        (folder / f"{name}.png").write_bytes(png)
    (folder / "c.png").write_bytes(png[:200])
    return folder


def test_films_are_explained_in_a_folder(folder, posters, tmp_path, run, pixels):
    (tmp_path / "o.csv").write_text(f'id,overview\nb c,"{TEXT}"\nd,?!\n')
    result = run(genre_predict, "--posters", posters, "--overviews", tmp_path / "o.csv", "--models", folder,
                 "--explain", tmp_path / "why", "--out", tmp_path / "p.jsonl", "--threshold", 0.4)
    assert result.exit_code == 3, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    films = list(read_explanations(tmp_path / "why" / "explanations.jsonl"))
    assert [(film.id, film.status, list(film.genres)) for film in films] == [
        (row["id"], row["status"], row["genres"] or []) for row in rows]
    both, failed, *_ = films
    assert (failed.id, failed.status, failed.error) == ("d", "empty_text", "overview: the overview has no word")
    assert both.genres["A"].words and both.genres["A"].poster.argmax() == 0
    pictures = {f"{number:03}-{film.id.replace(' ', '-')}-{rank}-{genre}.png" for number, film in enumerate(films, start=1)
                for rank, genre in enumerate(film.genres, start=1)}
    assert {path.name for path in (tmp_path / "why").iterdir()} == {*pictures, "explanations.jsonl"} and pictures
    with Image.open(tmp_path / "why" / "001-b-c-1-A.png") as picture:
        assert picture.size == SIZE[::-1]


def test_of_a_single_film_the_words_that_counted_are_printed(folder, posters, tmp_path, run):
    result = run(genre_predict, "--posters", posters / "a.png", "--overview", TEXT, "--models", folder,
                 "--explain", tmp_path / "why")
    assert result.exit_code == 0 and result.stdout.startswith("a: A"), result.stderr
    assert re.search(r"\nA: the poster \+\d\.\d\d, the overview \+\d\.\d\d ", result.stdout)
    assert re.search(r"for it: +WORD3 \+\d\.\d\d\n +against: Word4 -\d\.\d\d", result.stdout)
    assert (tmp_path / "why" / "001-a-1-A.png").exists()
    failed = run(genre_predict, "--posters", posters / "c.png", "--models", folder, "--explain", tmp_path / "other")
    assert failed.exit_code == 3 and failed.stdout == "" and "c: corrupt" in failed.stderr
    assert [film.status for film in read_explanations(tmp_path / "other" / "explanations.jsonl")] == ["corrupt"]


@pytest.mark.parametrize("options, message", [
    (["--explain", "why"], "--explain: expected films to explain, by --posters, --overviews or --overview; found none"),
    (["--posters", "posters", "--explain", "posters"], "--explain: expected a new or an empty folder, in one that is there"),
    (["--posters", "posters", "--explain", "none/why"], "--explain: expected a new or an empty folder, in one that is"),
    (["--posters", "posters", "--explain", "why"], "--explain: expected at most 2 films; a list or a table of those to"),
    (["--posters", "-", "--out", "p.csv", "--explain", "why"], "--explain: expected posters in a file or a folder"),
    (["--posters", "posters", "--out", "p/", "--num-shards", "2", "--explain", "why"], "--explain: expected one machine"),
    (["--posters", "posters", "--explain", "why", "--summary", "s.json"], "--summary: expected --out as well"),
    (["--overview", "x", "--out", "p.csv", "--explain", "why"], "--overview: expected no --out, as the answer is printed"),
])
def test_what_cannot_be_explained_is_refused_before_anything_is_written(folder, posters, tmp_path, run, monkeypatch, options,
                                                                       message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(explaining, "MOST", 2)
    result = run(genre_predict, "--models", folder, *options)
    assert result.exit_code == 2 and message in result.stderr, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["posters"]
