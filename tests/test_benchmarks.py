import pytest

from benchmarks.split_seeds import summarise


def test_summarise_gives_mean_and_spread_and_leaves_out_what_is_undefined():
    table = summarise([{"films": 5, "cnn.loss": 0.2, "cnn.precision": None},
                       {"films": 5, "cnn.loss": 0.4, "cnn.precision": 0.5}])
    loss, precision = table.to_dict("records")
    assert (loss["model"], loss["metric"], loss["splits"]) == ("cnn", "loss", 2)
    assert loss["mean"] == pytest.approx(0.3) and loss["spread"] == pytest.approx(0.1414, abs=1e-4)
    assert precision["mean"] == 0.5 and precision["splits"] == 1
