import pandas as pd
import pytest

from experiments.split_seeds import differences, summarise, summarise_points


def test_summarise_gives_mean_and_spread_and_leaves_out_what_is_undefined():
    table = summarise([{"films": 5, "cnn.loss": 0.2, "cnn.precision": None},
                       {"films": 5, "cnn.loss": 0.4, "cnn.precision": 0.5}])
    loss, precision = table.to_dict("records")
    assert (loss["model"], loss["metric"], loss["splits"]) == ("cnn", "loss", 2)
    assert loss["mean"] == pytest.approx(0.3) and loss["spread"] == pytest.approx(0.1414, abs=1e-4)
    assert precision["mean"] == 0.5 and precision["splits"] == 1


def test_differences_are_taken_split_by_split():
    changed = [{"films": 5, "cnn.loss": 0.2, "cnn.precision": None}, {"films": 5, "cnn.loss": 0.4, "cnn.precision": 0.5}]
    plain = [{"films": 5, "cnn.loss": 0.3, "cnn.precision": 0.1}, {"films": 5, "cnn.loss": 0.3, "lstm.loss": 0.5}]
    assert differences(changed, plain) == [pytest.approx({"cnn.loss": -0.1}), pytest.approx({"cnn.loss": 0.1})]


def test_what_is_named_is_averaged_by_kind_and_by_what_was_asked_for():
    splits = [pd.DataFrame({"kind": ["poster", "both"], "asked": "default", "precision": [first, 0.5], "recall": 0.5,
                            "genres_per_film": 2.0, "f1_per_film": 0.5}) for first in (0.4, 0.6)]
    found = summarise_points(splits)
    assert found["precision"].to_dict() == {("poster", "default"): "0.500 ± 0.141", ("both", "default"): "0.500 ± 0.000"}
