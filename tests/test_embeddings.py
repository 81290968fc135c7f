"""Files of embeddings: read, written, an input of the fusion, and of scoring."""

import csv
import json
import os
import shutil

import numpy as np
import onnx_models
import pytest
import yaml
from conftest import REPOSITORY, encoder_options, image_bytes, options_of, outputs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper

from genre_cli.data import main as genre_data
from genre_cli.predict import main as genre_predict
from movie_genres import Predictor
from movie_genres.base.errors import InputError, SettingError
from movie_genres.data import embeddings_writing
from movie_genres.data.embeddings import find_embeddings, read_embeddings
from movie_genres.data.embeddings_writing import can_hold, write_embeddings
from movie_genres.ensemble import decisions
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import PACKAGED, find_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.features import Posters
from movie_genres.models import onnx_files
from movie_genres.models.answers import load_answers
from movie_genres.models.network import Network
from movie_genres.scoring.embeddings import export_embeddings, films_of_data
from movie_genres.scoring.poster_sources import look_at

pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
from pyarrow import parquet  # noqa: E402

VECTORS = np.array([[1, 2, 3], [0.5, -4, 0]], np.float32)


def write(path, **columns):
    """Writes columns of a Parquet table, or arrays, as others would."""
    if path.suffix == ".npz":
        np.savez(path, **columns)
    else:
        parquet.write_table(pyarrow.table(columns), path)
    return path


def lists(rows, kind=None):
    return pyarrow.array(rows, kind or pyarrow.list_(pyarrow.float64()))


@pytest.mark.parametrize("name, columns", [
    ("lists", {"id": ["a", "7"], "embedding": lists(VECTORS.tolist())}),
    ("fixed", {"film_id": ["a", "7"], "title": ["", ""],
               "features": lists(VECTORS.tolist(), pyarrow.list_(pyarrow.float32(), 3))}),
    ("large", {"ID": ["a", "7"], "Vector": lists(VECTORS.tolist(), pyarrow.large_list(pyarrow.float16()))}),
    ("columns", {"e1": VECTORS[:, 1], "year": [1, 2], "e0": VECTORS[:, 0], "id": ["a", "7"], "e2": VECTORS[:, 2]}),
    ("from one", {"id": ["a", "7"], **{f"dim_{number}": VECTORS[:, number - 1] for number in (1, 2, 3)}}),
    ("dictionary", {"id": pyarrow.array(["a", "7"]).dictionary_encode(), "vectors": lists(VECTORS.tolist())}),
    ("arrays.npz", {"ids": np.array(["a", "7"]), "embeddings": VECTORS.astype(np.float64)}),
    ("half.npz", {"id": np.array(["a", "7"]), "features": VECTORS.astype(np.float16), "model": np.array(["x"])}),
])
def test_vectors_are_read_as_people_have_them(tmp_path, name, columns):
    found = read_embeddings(write(tmp_path / (name if "." in name else f"{name}.parquet"), **columns))
    assert dict(found.rows) == {"a": 0, "7": 1} and found.channels == 3
    films = found.of(["7", "b", "a"])
    assert films.present.tolist() == [True, False, True]
    assert np.array_equal(films.batch(np.array([2, 0])), VECTORS)


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_whole_numbers_are_ids_too(tmp_path, suffix):
    path = write(tmp_path / f"m{suffix}", id=np.array([27205, 7]),
                 features=VECTORS if suffix == ".npz" else lists(VECTORS.tolist()))
    assert list(read_embeddings(path).rows) == ["27205", "7"]


@pytest.mark.parametrize("name, columns, message", [
    ("m.csv", None, "expected embeddings in a file that ends in .parquet or .npz; found .csv"),
    ("m.npz", None, "m.npz: expected arrays as NumPy writes them"),
    ("m.parquet", None, "m.parquet: expected a Parquet file"),
    ("m.parquet", {"id": ["a"]}, "expected a column of vectors named features"),
    ("m.parquet", {"x": ["a"], "features": lists([[1.0]])}, "expected a column of ids, under a name among id"),
    ("m.parquet", {"id": ["a"], "features": ["text"]}, "lists of numbers as vectors; found string"),
    ("m.parquet", {"id": ["a"], "features": pyarrow.array([["x"]])}, "numbers in vectors; found string"),
    ("m.parquet", {"id": ["a", "b"], "features": lists([[1, 2], [1]])}, "2 numbers in each vector; found 1 in row 2"),
    ("m.parquet", {"id": ["a", "b"], "features": lists([[1, 2], None])}, "2 numbers in each vector; found 0 in row 2"),
    ("m.parquet", {"id": ["a", "b"], "features": lists([[1, 2], [1, None]])}, "found nan in row 2, number 2"),
    ("m.parquet", {"id": ["a"], "features": lists([[]])}, "expected embeddings of 1 to 16,384 numbers; found 0"),
    ("m.parquet", {"id": ["a", "b"], "features": lists([[], [1]])}, "expected embeddings of 1 to 16,384 numbers; found 0"),
    ("m.parquet", {"id": ["a"], "features": lists([[0] * 16385])}, "at most 16,384 entries, on average, in the column"),
    ("m.parquet", {"id": ["a", None], "features": lists([[1], [2]])}, "id of a film, as text, in row 2; found none"),
    ("m.parquet", {"id": [1.5], "features": lists([[1]])}, "as text, in row 1; found float"),
    ("m.parquet", {"id": ["a", "b", "a"], "features": lists([[1]] * 3)}, "each film once; found the id 'a' in rows 1 and 3"),
    ("m.parquet", {"id": ["a" * 1001], "features": lists([[1]])}, "at most 1,000 characters; found a longer one in row 1"),
    ("m.parquet", {"id": pyarrow.array([], pyarrow.string()), "features": lists([])}, "at least one film; found none"),
    ("m.parquet", {"id": ["a"], "e0": [1.0], "e2": [1.0]}, "or columns numbered from 0 on"),
    ("m.npz", {"id": np.array(["a"]), "features": np.array([[np.inf]])}, "found inf in row 1, number 1"),
    ("m.npz", {"id": np.array(["a"]), "features": np.array([[7e4]])}, "finite numbers from -65,504 to 65,504; found 70000"),
    ("m.npz", {"id": np.array(["a"]), "features": np.ones((2, 3))}, "a vector of numbers for each of 1 ids; found float64"),
    ("m.npz", {"id": np.array(["a"]), "features": np.array([["x"]])}, "a vector of numbers for each of 1 ids; found <U1"),
    ("m.npz", {"id": np.array(["a"], object), "features": np.ones((1, 3))}, "expected ids as text"),
    ("m.npz", {"id": np.array(["a"]), "features": np.ones((1, 16385))}, "of 1 to 16,384 numbers; found 16,385"),
    ("m.npz", {"id": np.array(["a", "b"]), "features": np.ones((3, 2)).T}, "found one column after the other"),
])
def test_what_cannot_be_used_is_named(tmp_path, name, columns, message):
    path = tmp_path / name
    if columns is None:
        path.write_bytes(b"id,features\n")
    else:
        write(path, **columns)
    with pytest.raises(InputError) as raised:
        read_embeddings(path)
    assert message in str(raised.value) and str(path) in str(raised.value)


def test_a_file_is_held_to_what_it_was(tmp_path):
    with pytest.raises(InputError, match="none.npz: expected a file of embeddings; found No such file"):
        find_embeddings({"m": tmp_path / "none.npz"})
    found = find_embeddings({"m": write(tmp_path / "m.npz", id=np.array(["a"]), features=np.ones((1, 2)))})["m"]
    assert found.read().channels == 2
    write(tmp_path / "m.npz", id=np.array(["a"]), features=np.ones((1, 3)))
    with pytest.raises(InputError, match="expected the embeddings that were there at the start"):
        found.read()


IDS = st.text(st.characters(categories=("L", "N", "P", "Zs", "Cc", "Cs")), max_size=20).filter(can_hold)


@given(st.lists(IDS, min_size=1, max_size=8, unique=True), st.data(), st.sampled_from([".parquet", ".npz"]))
def test_what_is_written_is_read(tmp_path_factory, ids, data, suffix):
    folder = tmp_path_factory.mktemp("written")
    vectors = data.draw(arrays(np.float32, (len(ids), 3), elements=st.floats(-65504, 65504, width=32)))
    cut = data.draw(st.integers(0, len(ids)))
    for name in ("one", "two"):
        blocks = ((ids[start:end], vectors[start:end]) for start, end in ((0, cut), (cut, len(ids))) if start < end)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embeddings_writing, "IDS_AT_ONCE", 3)
            write_embeddings(folder / f"{name}{suffix}", blocks, 3, model="m", digest="d")
    found = read_embeddings(folder / f"one{suffix}")
    assert list(found.rows) == ids and np.array_equal(found.table, vectors)
    assert (folder / f"one{suffix}").read_bytes() == (folder / f"two{suffix}").read_bytes()
    shutil.rmtree(folder)


def test_ids_that_would_make_a_file_huge_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings_writing, "MOST_ID_BYTES", 40)
    write_embeddings(tmp_path / "m.npz", [(["a", "12345"], VECTORS)], 3)
    with pytest.raises(SettingError, match="ends in .parquet for ids as long as these; found .npz, with 6 char"):
        write_embeddings(tmp_path / "m.npz", [(["a"], VECTORS[:1]), (["123456"], VECTORS[1:])], 3)


KERNEL, BIAS = np.array([[1, -1], [0.5, 0], [0, 2]], np.float32), np.array([0.1, -0.2], np.float32)


def probabilities_of(vectors):
    return 1 / (1 + np.exp(-(vectors @ KERNEL + BIAS)))


def write_model(path, modality="poster", channels=3, **metadata):
    """A model of vectors, as trainings export it: of two genres, whose predictions are linear."""
    def value(name, size):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [onnx_files.BATCH, size])

    graph = helper.make_graph(
        [helper.make_node("Identity", ["embedding"], ["features"]), helper.make_node("Gemm", ["embedding", "k", "b"], ["x"]),
         helper.make_node("Sigmoid", ["x"], ["probabilities"])], "network", [value("embedding", channels)],
        [value("features", channels), value("probabilities", 2)],
        [numpy_helper.from_array(KERNEL, "k"), numpy_helper.from_array(BIAS, "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx_files.write(model, path, {"modality": modality, "genres": ["Crime", "Drama"], "embedding": 3,
                                   "base_rates": [0.3, 0.6], **metadata})


@pytest.fixture
def folder(tmp_path):
    """A folder with a model of vectors of posters, and one of overviews."""
    for name, modality in (("seen", "poster"), ("told", "overview")):
        write_model(tmp_path / "models" / f"{name}.onnx", modality)
    return tmp_path / "models"


@pytest.fixture
def vectors(tmp_path):
    return write(tmp_path / "vectors.npz", id=np.array(["a", "7"]), features=VECTORS)


@pytest.fixture
def films(tmp_path):
    """A folder of posters: `a` has a vector, `b` has none, `7` has one and is no picture, which nobody looks at."""
    (tmp_path / "posters").mkdir()
    for name in "ab":
        (tmp_path / "posters" / f"{name}.jpg").write_bytes(image_bytes())
    (tmp_path / "posters" / "7.jpg").write_bytes(b"no picture")
    return tmp_path / "posters"


def rows_of(path):
    with open(path, newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_films_are_scored_by_their_vectors(folder, vectors, films, tmp_path, run):
    out = tmp_path / "p.csv"
    result = run(genre_predict, "--models", folder, "--posters", films, "--embeddings", f"seen={vectors}", "--out", out)
    assert result.exit_code == 3 and "no embeddings are given for told" in result.output, result.output
    rows = rows_of(out)
    assert {film: row["status"] for film, row in rows.items()} == {"a": "ok", "b": "no_embedding", "7": "ok"}
    scored = [[float(rows[film][f"p_{genre}"]) for genre in ("Crime", "Drama")] for film in ("a", "7")]
    assert np.allclose(scored, probabilities_of(VECTORS), atol=1e-4) and rows["b"]["p_Crime"] == ""


def test_vectors_of_what_is_not_given_count_too(folder, vectors, tmp_path, run):
    (tmp_path / "films.csv").write_text("id,overview\na,a house\nb,a house\n7,\n")
    out = tmp_path / "p.csv"
    run(genre_predict, "--models", folder, "--overviews", tmp_path / "films.csv", "--embeddings", f"told={vectors}",
        "--embeddings", f"seen={vectors}", "--out", out)
    rows = rows_of(out)
    assert {film: (row["status"], row["source"]) for film, row in rows.items()} == {
        "a": ("ok", "both"), "b": ("no_embedding", "overview"), "7": ("ok", "both")}


RANKING = {"poster": ["fusion", "seen", "cnn"], "overview": ["fusion", "lstm"], "both": ["fusion", "lstm", "cnn"]}


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """A folder with a fusion of vectors of posters and of a network of overviews, and beside it a network of posters."""
    folder, vector, genres = tmp_path / "mixed", onnx_models.CHANNELS, len(onnx_models.GENRES)

    def given(name, size):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])

    seen = onnx_models.network(given("embedding", vector), [helper.make_node("Identity", ["embedding"], ["features"])], {},
                               {})
    sizes = {"present": 2, "seen": vector, "seen_answers": genres, "lstm": vector, "lstm_answers": genres}
    fusion = helper.make_model(helper.make_graph(
        [helper.make_node("Max", ["seen_answers", "lstm_answers"], ["probabilities"])], "fusion",
        [given(*each) for each in sizes.items()], [given("probabilities", genres)]),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for name, model, about in (
            ("cnn", onnx_models.poster_network(), onnx_models.OF_POSTERS),
            ("lstm", onnx_models.overview_network(), onnx_models.OF_OVERVIEWS),
            ("seen", seen, {**onnx_models.ABOUT, "modality": "poster", "embedding": vector}),
            ("fusion", fusion, {**onnx_models.ABOUT, "modality": None, "channels": {"seen": vector, "lstm": vector}})):
        inputs = {each: onnx_files.read(folder / f"{each}.onnx").digest for each in about.get("channels", ())}
        onnx_files.write(model, folder / f"{name}.onnx", {**about, "inputs": inputs})
    monkeypatch.setattr(decisions, "default_ranking", lambda files: RANKING)
    return folder


@pytest.mark.parametrize("with_vectors", [False, True])
@pytest.mark.parametrize("with_overviews", [False, True])
def test_films_without_a_vector_are_scored_by_what_is_beside_a_fusion(mixed, films, tmp_path, run, with_vectors,
                                                                    with_overviews):
    vectors = write(tmp_path / "v.npz", id=np.array(["a"]), features=np.ones((1, onnx_models.CHANNELS)))
    (tmp_path / "films.csv").write_text("id,overview\na,word1\nc,word2\n")
    options = [*(("--embeddings", f"seen={vectors}") if with_vectors else ()),
               *(("--overviews", tmp_path / "films.csv") if with_overviews else ())]
    out = tmp_path / "p.csv"
    result = run(genre_predict, "--models", mixed, "--posters", films, "--out", out, *options)
    assert result.exit_code == 3, result.output
    rows = rows_of(out)
    assert {film: row["status"] for film, row in rows.items()} == {"a": "ok", "b": "ok", "7": "not_an_image", **(
        {"c": "ok"} if with_overviews else {})}
    assert {film for film, row in rows.items() if row["genres"] and row["p_A"]} == set(rows) - {"7"}
    assert Predictor.load(mixed, embeddings={"seen": vectors} if with_vectors else {}).genres == tuple(onnx_models.GENRES)


def test_no_film_is_ok_that_no_model_answers(mixed, films):
    models = Models([file for file in find_models(mixed) if file.name == "cnn"], Decisions({}, {}))
    film, = Predictor(models, "m").predict([films / "a.jpg"])
    assert (film.status, film.probabilities, film.error) == ("no_answer", {}, "no model has anything to go by")


def test_a_job_is_bound_to_the_vectors_that_it_began_with(folder, vectors, films, tmp_path, run):
    arguments = ("--models", folder, "--posters", films, "--embeddings", f"seen={vectors}", "--out", f"{tmp_path}/p/",
                 "--num-shards", 2, "--shard-size", 1)
    first = run(genre_predict, *arguments, "--shard-index", 0)
    assert "are missing" in first.output
    write(vectors, id=np.array(["a", "7"]), features=-VECTORS)
    result = run(genre_predict, *arguments, "--shard-index", 1)
    assert result.exit_code == 2 and "embeddings seen" in result.output, result.output
    write(vectors, id=np.array(["a", "7"]), features=VECTORS)
    assert run(genre_predict, *arguments, "--shard-index", 1).exit_code in (0, 3)
    assert {film for part in (tmp_path / "p").glob("*.csv") for film in rows_of(part)} == {"a", "b", "7"}


@pytest.mark.parametrize("given, message", [
    (["seen"], "--embeddings: expected a model and its file"),
    (["seen={file}", "seen={file}"], "expected one file for a model"),
    (["cnn={file}"], "that take embeddings: seen, told; found cnn"),
    (["seen=none.npz"], "none.npz: expected a file of embeddings; found No such file"),
    (["seen={wide}"], "--embeddings: expected 3 numbers a film for seen; found 4"),
    ([], "expected seen=FILE, as the models of posters all take embeddings"),
])
def test_vectors_that_do_not_fit_are_refused(folder, vectors, films, tmp_path, run, given, message):
    wide = write(tmp_path / "wide.npz", id=np.array(["a"]), features=np.ones((1, 4)))
    options = [part for each in given for part in ("--embeddings", each.format(file=vectors, wide=wide))]
    result = run(genre_predict, "--models", folder, "--posters", films, "--out", tmp_path / "p.csv", *options)
    assert result.exit_code == 2 and message in result.output and not list(tmp_path.glob("p.csv*")), result.output


@pytest.mark.parametrize("changes", [{"channels": 4}, {"embedding": 0}, {"modality": None}, {"reader": "x"}])
def test_a_model_that_is_not_what_it_says_is_refused(tmp_path, changes):
    with pytest.raises(InputError):
        write_model(tmp_path / "m.onnx", **changes)
        Network(tmp_path / "m.onnx")


def test_programs_score_and_explain_with_vectors(folder, vectors):
    predictor = Predictor.load(folder, embeddings={"seen": vectors, "told": vectors})
    first, second, none = predictor.predict(overviews=[None, "a house", "a house"], ids=["a", "7", "b"])
    assert (first.status, second.status, none.status) == ("ok", "ok", "no_embedding")
    assert list(second.probabilities.values()) == pytest.approx(sorted(probabilities_of(VECTORS)[1], reverse=True), abs=1e-6)
    assert predictor.predict_one(overview="a house", id=7) == second
    explained = predictor.explain(overview="a house", id="7")
    assert list(explained) == list(second.genres)
    for genre, why in explained.items():
        rate = predictor.base_rates[genre]
        odds = why.probability / (1 - why.probability) * (1 - rate) / rate
        assert why.poster is None and sum(why.shares.values()) == pytest.approx(np.log(odds), abs=1e-5)
    with pytest.raises(SettingError, match="that take embeddings: none does; found x"):
        Predictor.load(PACKAGED, embeddings={"x": vectors})


@pytest.mark.parametrize("ids, found", [(None, "none"), ([None], "none"), ([1.5], "float"), ([True], "bool"), ([b""], "b")])
def test_ids_that_find_nothing_are_refused(folder, vectors, ids, found):
    predictor = Predictor.load(folder, embeddings={"seen": vectors, "told": vectors})
    with pytest.raises(SettingError, match=rf"ids\[0\]: expected text or a whole number, .*; found {found}"):
        predictor.predict(overviews=["a house"], ids=ids)
    assert predictor.predict(overviews=["a house"], ids=np.array([7]))[0].id == "7"


@pytest.mark.parametrize("suffix, dtype", [(".parquet", "int8"), (".npz", "float32")])
def test_features_of_a_model_are_exported(small_data, tmp_path, run, suffix, dtype):
    out = tmp_path / f"cnn{suffix}"
    result = run(genre_data, "embeddings", "export", "--models", PACKAGED, "--model", "cnn", "--data", small_data,
                 "--out", out, "--dtype", dtype)
    assert result.exit_code == 0, result.output
    films = [film for film in films_of_data(small_data) if film.poster]
    found, predictor = read_embeddings(out), Predictor.load(PACKAGED, dtype=dtype)
    assert set(found.rows) <= {film.id for film in films} and f"{len(found.rows)} films" in " ".join(result.output.split())
    network = predictor._models.networks["cnn"]
    assert found.channels == network.channels
    for film in films[:5]:
        pixels, = look_at(film.poster, predictor._models.sizes, Caps()).pixels
        alone, _ = network.encode(np.array([0]), Posters(pixels[None], np.array([True])))
        assert np.allclose(found.table[found.rows[film.id]], alone, atol=0.02), (found.table[found.rows[film.id]], alone)
    digest = next(file.run_digest for file in find_models(PACKAGED, dtype=dtype) if file.name == "cnn")
    if suffix == ".parquet":
        table = parquet.read_table(out)
        assert table.column_names == ["id", "features", "model", "digest"]
        assert {*table["model"].to_pylist()} == {"cnn"} and {*table["digest"].to_pylist()} == {digest}
    else:
        with np.load(out) as stored:
            assert (stored["model"].tolist(), stored["digest"].tolist()) == (["cnn"], [digest])


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_a_film_whose_id_no_file_can_hold_is_left_out(films, tmp_path, run, suffix):
    for name in (b"caf\xe9.jpg", b"b.jpg"):
        (films / os.fsdecode(name)).write_bytes(image_bytes())
    result = run(genre_data, "embeddings", "export", "--models", PACKAGED, "--model", "cnn", "--posters", films,
                 "--out", tmp_path / f"m{suffix}")
    assert list(read_embeddings(tmp_path / f"m{suffix}").rows) == ["a", "b"]
    assert "out: 1 of which cnn has nothing to go by, 1 with an id that no file can hold" in result.output, result.output


def test_an_input_is_not_written_over(folder, films, tmp_path, run):
    before = write(tmp_path / "films.parquet", id=["a"], overview=["a house"], features=lists([[1, 2, 3]])).read_bytes()
    given, export = tmp_path / "films.parquet", (genre_data, "embeddings", "export", "--models", PACKAGED, "--model", "lstm")
    for arguments, option in (
            ((*export, "--overviews", given), "--overviews"),
            ((genre_predict, "--models", folder, "--posters", films, "--embeddings", f"seen={given}"), "--embeddings")):
        result = run(*arguments, "--out", tmp_path / "posters" / ".." / "films.parquet")
        assert result.exit_code == 2 and f"another file as output than as {option}" in result.output, result.output
    assert given.read_bytes() == before


def test_films_of_one_id_are_exported_once_and_a_failure_keeps_the_file(tmp_path, run):
    (tmp_path / "films.csv").write_text("id,overview\na,the house of a man\nb,\na,a woman in the city\n")
    options = ("embeddings", "export", "--models", PACKAGED, "--out", tmp_path / "m.npz")
    result = run(genre_data, *options, "--model", "lstm", "--overviews", tmp_path / "films.csv")
    assert "1 films" in result.output and "1 with an id that is there" in " ".join(result.output.split()), result.output
    before = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "films.csv").write_text("id,overview\nb,\n")
    result = run(genre_data, *options, "--model", "lstm", "--overviews", tmp_path / "films.csv")
    assert result.exit_code == 2 and "something to go by; found none" in result.output
    assert (tmp_path / "m.npz").read_bytes() == before and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("options, message", [
    (["--model", "fusion"], "--model: expected the name of a model of posters or overviews: cnn, lstm; found fusion"),
    (["--out", "m.csv"], "--out: expected a file that ends in .parquet or .npz"),
    (["--data", "x", "--overviews", "y"], "--data: expected a data folder, or else posters or overviews; found both"),
    (["--out", "none/m.npz"], "found no folder none"),
    (["--data", "none"], "none/films.csv: expected the table of films"),
])
def test_what_cannot_be_exported_is_said(tmp_path, monkeypatch, run, options, message):
    monkeypatch.chdir(tmp_path)
    result = run(genre_data, "embeddings", "export", "--models", PACKAGED, "--model", "cnn", "--out", "m.npz", *options)
    assert result.exit_code == 2 and message in result.output, result.output
    assert not list(tmp_path.iterdir())


def figures_of(folder, name):
    return json.loads((folder / "metrics" / f"{name}.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("modality, architecture", [("poster", "attention"), ("overview", "gated")])
def test_a_fusion_from_a_file_reaches_the_figures_of_the_features_that_we_compute(
        presets, small_arrays, models, small_data, tmp_path, modality, architecture):
    from movie_genres.networks.embeddings import EmbeddingsEncoder, train_on_embeddings
    from movie_genres.networks.encoders import train_encoder
    from movie_genres.networks.fusion import FusionOptions, train_fusion

    prepared, posters, *_ = small_arrays
    shutil.copytree(models.parent / "answers", tmp_path / "answers")
    # A copy in 8 bits would fit its predictions to other features than it gives.
    settings = encoder_options(presets, modality, **({"int8": None} if modality == "poster" else {}))
    train_encoder(prepared, posters.present, settings, outputs(tmp_path, "encoders/ours"))
    export_embeddings(films_of_data(small_data), "ours", tmp_path / "theirs.parquet", tmp_path / "models")
    options = EmbeddingsEncoder(modality=modality, file=str(tmp_path / "theirs.parquet"), strengths=settings.strengths)
    train_on_embeddings(prepared, options, outputs(tmp_path, "encoders/theirs"))
    answers = load_answers(tmp_path / "answers")
    assert np.array_equal(answers["ours"].features, answers["theirs"].features)
    other = "lstm" if modality == "poster" else "cnn"
    for name in ("ours", "theirs"):
        train_fusion(prepared, answers, options_of(FusionOptions, inputs=(name, other), units=8, epochs=3, batch_size=16,
                                                   architecture=architecture), outputs(tmp_path, f"fusion_{name}"))
    ours, theirs = (figures_of(tmp_path, f"fusion_{name}") for name in ("ours", "theirs"))
    assert theirs == pytest.approx(ours, abs=1e-4)
    ours, theirs = (load_answers(tmp_path / "answers")[f"fusion_{name}"] for name in ("ours", "theirs"))
    assert np.allclose(ours.probabilities, theirs.probabilities, atol=1e-4, equal_nan=True)
    # And scoring finds the vectors by id, and comes to what the training says; without them it answers by what is left.
    (tmp_path / "models" / "fusion_ours.onnx").unlink()
    (tmp_path / "models" / "fusion_theirs.onnx").rename(tmp_path / "models" / "fusion.onnx")
    shutil.copy(models / f"{other}.onnx", tmp_path / "models")
    if (models / "int8" / f"{other}.onnx").exists():  # which the answers are by
        (tmp_path / "models" / "int8").mkdir(exist_ok=True)
        shutil.copy(models / "int8" / f"{other}.onnx", tmp_path / "models" / "int8")
    rows = np.flatnonzero(theirs.present)[:20]
    shown = prepared.films.iloc[rows]
    given = {"posters": [path or None for path in shown["poster"]],
             "overviews": [text or None for text in shown["overview"]], "ids": shown["id"].tolist()}
    predictor = Predictor.load(tmp_path / "models", embeddings={"theirs": tmp_path / "theirs.parquet"})
    found = {film.id: film.probabilities for film in predictor.predict(**given) if film.source == "both"}
    lines = [row for row in rows if prepared.films["id"][row] in found]
    scored = [[found[prepared.films["id"][row]][genre] for genre in prepared.genres] for row in lines]
    assert len(lines) > 10 and np.allclose(scored, theirs.probabilities[lines], atol=2e-3)
    without = Predictor.load(tmp_path / "models").predict(**given)
    assert all(film.probabilities for film in without)


def test_a_file_that_has_changed_runs_the_stages_that_read_it_again(tmp_path, monkeypatch):
    dvc = pytest.importorskip("dvc.repo", reason="the extra `train` is not installed")
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    readers = {name for name, stage in stages.items() if "--embeddings embeddings" in stage["cmd"]}
    assert readers == {"teach", "train_encoders", "report", "predict"}
    ours = {name: {"cmd": "true", "deps": [path for path in stages[name]["deps"] if path == "embeddings"]}
            for name in readers}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": ours}))
    (tmp_path / "embeddings").mkdir()
    write(tmp_path / "embeddings" / "m.npz", id=np.array(["a"]), features=VECTORS[:1])
    with dvc.Repo.init(no_scm=True) as repo:
        assert {stage.name for stage in repo.reproduce()} == readers
        assert repo.reproduce() == []
        write(tmp_path / "embeddings" / "m.npz", id=np.array(["a"]), features=VECTORS[1:])
        assert {stage.name for stage in repo.reproduce()} == readers


@pytest.mark.parametrize("entry, message", [
    ("{modality: poster, file: none.npz}", "none.npz: expected a file of embeddings; found No such file"),
    ("{modality: poster, file: ../m.npz}", "encoders.x.file: expected a file in"),
    ("{modality: poster, file: /m.npz}", "encoders.x.file: expected a file in"),
    ("{modality: sound, file: m.npz}", "encoders.x.file.modality: Input should be"),
    ("{modality: poster, file: m.npz, epochs: 3}", "encoders.x.file.epochs: Unexpected keyword argument"),
    ("{modality: poster, file: m.npz}", "expected ids of prepared films, such as 'demo0000'; found others, such as 'a'"),
])
def test_the_stage_checks_its_files(arrays_folder, tmp_path, run, entry, message):
    from stages.train_encoders import main as stage

    defaults = (REPOSITORY / "params.yaml").read_text().partition("encoders: {}")[2].partition("\nfusion:")[0]
    (tmp_path / "params.yaml").write_text(f"encoders: {{x: {entry}}}\n" + defaults)
    write(tmp_path / "m.npz", id=np.array(["a"]), features=VECTORS[:1])
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "texts.json").write_text("null")
    folders = [part for option in ("models", "history", "metrics", "out", "state")
               for part in (f"--{option}", tmp_path / "made" / option)]
    result = run(stage, "--params", tmp_path / "params.yaml", "--prepared", arrays_folder / "prepared", "--posters",
                 arrays_folder / "posters", "--texts", tmp_path / "texts", "--embeddings", tmp_path, *folders)
    assert result.exit_code == 2 and message in " ".join(result.output.split()), result.output
