import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genre_cli.predict import main as genre_predict
from movie_genres import Predictor
from movie_genres.base.errors import SettingError
from movie_genres.ensemble.folder import write_release
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.operating_points import Choice, Curve, Measured, OperatingPoint, number_named, point_without_curve

SHARES = st.floats(0, 1)
PROBABILITIES = arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=SHARES)
# Precision rises and recall falls with the threshold, from 0 on.
CURVE = Curve(np.array([0.0, 0.2, 0.5, 0.9]), np.array([
    [0.1, 1.0, 20, 0.2], [0.4, 0.8, 5, 0.5], [0.6, 0.5, 2, 0.6], [0.7, 0.3, 1, 0.4]]))
CHOICE = Choice(OperatingPoint(0.4, 0.5), Measured(0.55, 0.6, 2.4, 0.61), CURVE)


@given(PROBABILITIES, SHARES, SHARES, st.none() | st.integers(1, 3))
def test_the_likeliest_genre_is_named_and_never_more_than_asked(probabilities, threshold, power, most):
    named = number_named(OperatingPoint(threshold, power), probabilities, Naming(max_genres=most))
    assert (named >= 1).all() and (named <= (most or probabilities.shape[1])).all()


@given(PROBABILITIES, SHARES, SHARES)
def test_a_lower_threshold_names_no_fewer(probabilities, first, second):
    low, high = (OperatingPoint(threshold).number(probabilities) for threshold in sorted((first, second)))
    assert (low >= high).all()


def test_nothing_is_named_of_a_film_that_could_not_be_scored():
    assert OperatingPoint(0.5, 0.5).number(np.array([[np.nan, np.nan], [0.1, 0.9]])).tolist() == [0, 1]


@pytest.mark.parametrize("point, expected", [
    (OperatingPoint(0.3), [2, 1]), (OperatingPoint(0.3, 1.0), [2, 3]), (OperatingPoint(0.0), [3, 3]),
    (OperatingPoint(1.0), [1, 1])])
def test_with_power_less_will_do_where_nothing_is_sure(point, expected):
    assert point.number(np.array([[0.9, 0.5, 0.2], [0.2, 0.15, 0.1]])).tolist() == expected


@pytest.mark.parametrize("naming, threshold, reached", [
    (Naming(precision=0.5), 0.5, True), (Naming(precision=0.6), 0.5, True), (Naming(precision=0.0), 0.0, True),
    (Naming(precision=0.8), 0.9, False), (Naming(recall=0.8), 0.2, True), (Naming(recall=0.6), 0.2, True),
    (Naming(recall=1.0), 0.0, True), (Naming(recall=0.0), 0.9, True), (Naming(threshold=0.33), 0.33, True)])
def test_a_precision_gets_the_most_recall_and_a_recall_the_most_precision(naming, threshold, reached):
    point, _, is_reached = CHOICE.of(naming)
    assert (point, is_reached) == (OperatingPoint(threshold), reached)


def test_by_default_the_models_choose():
    assert CHOICE.of(Naming(max_genres=2)) == (CHOICE.default, CHOICE.measured, True)


@pytest.mark.parametrize("settings, message", [
    ({"precision": 1.5}, "precision: expected a value from 0 to 1; found 1.5"),
    ({"recall": float("nan")}, "recall: expected a value from 0 to 1; found nan"),
    ({"precision": 0.5, "recall": 0.5}, "recall: expected one of `precision`, `recall` and `threshold`"),
    ({"recall": 0.0, "threshold": 0.0}, "threshold: expected one of"),
    ({"max_genres": 0}, "max_genres: expected at least 1")])
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        Naming(**settings)


def test_without_a_curve_only_a_threshold_can_be_asked_for():
    assert point_without_curve(Naming(threshold=0.2)) == OperatingPoint(0.2)
    assert point_without_curve(Naming()) == OperatingPoint(0.5)
    with pytest.raises(SettingError, match="recall: expected models of which decisions.json tells what they reach"):
        point_without_curve(Naming(recall=0.5))


def test_two_aims_at_once_are_refused_by_the_command(models, run):
    result = run(genre_predict, "--overview", "a house", "--models", models, "--precision", 0.5, "--recall", 0.5)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "--recall: expected one of --precision, --recall and --threshold, as --precision is given" in result.stderr


OVERVIEWS = "id,overview\n" + "".join(f"{number},{text}\n" for number, text in enumerate(
    ["a detective hunts a gang", "two strangers fall in love", "a ghost in an old house", "a war"]))


def rows_of(run, folder, *options):
    (folder / "films.csv").write_text(OVERVIEWS)
    result = run(genre_predict, "--overviews", folder / "films.csv", "--models", folder / "tuned", "--out",
                 folder / "p.csv", "--overwrite", *options)
    assert result.exit_code == 0, result.stderr
    with open(folder / "p.csv", newline="") as file:
        return list(csv.DictReader(file)), result.stderr


def named(row):
    return row["genres"].split("|")


def by_probability(row):
    found = {name[2:]: float(value) for name, value in row.items() if name.startswith("p_")}
    return sorted(found, key=found.get, reverse=True), found


@pytest.mark.parametrize("options", [[], ["--precision", 0.99], ["--recall", 0.9], ["--recall", 0], ["--threshold", 1],
                                     ["--threshold", 0], ["--max-genres", 1], ["--recall", 1, "--max-genres", 2]], ids=str)
def test_the_top_genre_is_named_in_every_scored_row(tuned, tmp_path, run, options):
    rows, _ = rows_of(run, tmp_path, *options)
    assert len(rows) == 4
    for row in rows:
        order, probabilities = by_probability(row)
        ranked = sorted(probabilities.values(), reverse=True)
        assert [probabilities[genre] for genre in named(row)] == ranked[:len(named(row))]
        if "--max-genres" in options:
            assert len(named(row)) <= options[options.index("--max-genres") + 1]
        if "--threshold" in options:
            assert len(named(row)) == (1 if options[1] else len(order))


def test_more_recall_names_more_genres(tuned, tmp_path, run):
    counts = [sum(len(named(row)) for row in rows_of(run, tmp_path, "--recall", recall)[0]) for recall in (0.2, 0.6, 1)]
    assert counts == sorted(counts) and counts[2] > counts[0]


def test_the_expected_precision_is_the_mean_of_what_is_named(tuned, tmp_path, run):
    rows, _ = rows_of(run, tmp_path, "--expected-precision", "--recall", 0.8)
    for row in rows:
        _, probabilities = by_probability(row)
        assert float(row["expected_precision"]) == pytest.approx(
            np.mean([probabilities[genre] for genre in named(row)]), abs=1e-4)


def test_a_precision_out_of_reach_is_said(tuned, tmp_path, run):
    rows, messages = rows_of(run, tmp_path, "--precision", 1)
    assert {len(named(row)) for row in rows} == {1}
    assert "precision 1 is out of reach for films with an overview alone: " in messages and "poster" not in messages
    assert "out of reach" not in rows_of(run, tmp_path, "--precision", 0)[1]


def test_the_api_takes_the_same_and_says_the_same(tuned, caplog):
    predictor = Predictor.load(tuned)
    many, few = (predictor.predict_one(overview="a ghost in a house", recall=recall).genres for recall in (1, 0.3))
    assert len(many) > len(few) > 0
    assert len(predictor.predict_one(overview="a ghost in a house", recall=1, max_genres=2).genres) == 2
    assert not caplog.records
    one = predictor.predict(overviews=["a ghost in a house"], precision=1)[0]
    assert len(one.genres) == 1 and one.expected_precision == pytest.approx(next(iter(one.probabilities.values())), abs=1e-4)
    assert "precision 1 is out of reach for films with an overview alone" in caplog.text


def test_describe_tells_what_to_expect(tuned, run):
    write_release(tuned, name="tiny", version="3", data="Made-up films.", licences=["MIT"])
    result = run(genre_predict, "--describe", "--models", tuned, "--precision", 0.45)
    assert result.exit_code == 0, result.stderr
    for part in ("tiny 3, in ", "Made-up films.", "licence: MIT", "models: cnn (posters), ", "fusion (of cnn, lstm)",
                 "Drama ", "validation films", "films with a poster alone, by ", "films with both, by ", "by default",
                 "--precision 0.45", "--recall 0.9", "(out of reach)", "always "):
        assert part in result.stdout, part


def test_describe_of_models_that_were_not_measured_says_so(models, run):
    result = run(genre_predict, "--describe", "--models", models)
    assert "Nothing was measured of them: there is no decisions.json." in result.stdout
