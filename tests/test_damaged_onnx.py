"""ONNX files that are cut, altered or made to do harm are refused by name, and nothing of them runs."""

import copy
import json
import pickle

import numpy as np
import onnx_models
import pytest
from conftest import mutated
from onnx import TensorProto, helper, numpy_helper
from onnx_models import CHANNELS, GENRES, OF_OVERVIEWS, OF_POSTERS, SIZE

from movie_genres.base.errors import InputError, one_line
from movie_genres.inputs.features import Posters
from movie_genres.models.network import Network

RNG = np.random.default_rng
INT64 = np.int64
EVIL = "import pathlib; pathlib.Path('evil').touch()"


class Harmful:
    def __reduce__(self):
        return exec, (EVIL,)


def network(change):
    """The poster network with a change, as bytes."""
    model = onnx_models.poster_network()
    change(model)
    return model.SerializeToString()


def about(content=None, **changes):
    """The poster network with other metadata."""
    return network(lambda model: onnx_models.set_metadata(model, OF_POSTERS | changes if content is None else content))


def weight(model, name):
    return next(weight for weight in model.graph.initializer if weight.name == name)


def with_weight(name, edit):
    return network(lambda model: edit(weight(model, name)))


def replaced(name, values):
    return with_weight(name, lambda old: old.CopyFrom(numpy_helper.from_array(np.asarray(values), name)))


def step(model, output):
    return next(node for node in model.graph.node if output in node.output)


def with_step(output, edit):
    return network(lambda model: edit(step(model, output)))


def value(model, name):
    return next(value for value in (*model.graph.input, *model.graph.output) if value.name == name)


def with_value(name, edit):
    return network(lambda model: edit(value(model, name).type.tensor_type))


def with_steps(*steps, imports=(), **weights):
    """The poster network with steps of which the last one's output, `more`, is added to the features."""
    def change(model):
        step(model, "features").output[0] = "pooled"
        at = [node.op_type for node in model.graph.node].index("MatMul")
        nodes = [*model.graph.node[:at], *steps, helper.make_node("Add", ["pooled", "more"], ["features"]),
                 *model.graph.node[at:]]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        for name, values in weights.items():
            tensor = values if isinstance(values, TensorProto) else numpy_helper.from_array(np.asarray(values))
            tensor.name = name
            model.graph.initializer.append(tensor)
        model.opset_import.extend(helper.make_opsetid(domain, 1) for domain in imports)

    return network(change)


def make(operator, inputs, output="more", **attributes):
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def largest(name, output="more"):
    """The largest number in a value, as one that can be added to anything."""
    return make("ReduceMax", name, output, keepdims=0)


def external(location, of=lambda model: weight(model, "trust")):
    """The poster network with a weight in another file."""
    return network(lambda model: move_out(of(model), location))


def move_out(tensor, location):
    length = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, content in (("location", location), ("offset", "0"), ("length", f"{length}")):
        tensor.external_data.add(key=key, value=content)


def in_attribute(model):
    """A weight that stands in a step in place of the list of weights."""
    trust = weight(model, "trust")
    node = helper.make_node("Constant", [], ["trust"], value=trust)
    model.graph.initializer.remove(trust)
    model.graph.node.insert(0, node)
    return model.graph.node[0].attribute[0].t


def as_constant(**attribute):
    """The poster network with a constant of another kind added to the features."""
    return with_steps(helper.make_node("Constant", [], ["more"], **attribute))


def inner_graph(name):
    result = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    return helper.make_graph([helper.make_node("Constant", [], ["inner"], value_floats=[1.0])], name, [], [result])


def loop():
    """A loop that never ends."""
    infos = [helper.make_tensor_value_info(name, kind, []) for name, kind in (
        ("number", TensorProto.INT64), ("condition", TensorProto.BOOL), ("again", TensorProto.BOOL))]
    body = helper.make_graph([helper.make_node("Identity", ["condition"], ["again"])], "body", infos[:2], infos[2:])
    ending = helper.make_node("Loop", ["", "true"], [], body=body)
    return with_steps(ending, make("Cast", "true", to=TensorProto.FLOAT), true=np.array(True))


def branch():
    return with_steps(make("If", "true", then_branch=inner_graph("a"), else_branch=inner_graph("b")), true=np.array(True))


def scan():
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [CHANNELS]) for name in ("line", "same")]
    body = helper.make_graph([helper.make_node("Identity", ["line"], ["same"])], "body", infos[:1], infos[1:])
    return with_steps(make("Scan", "pooled", body=body, num_scan_inputs=1))


def own_function(model):
    model.functions.append(helper.make_function("", "Sigmoid", ["x"], ["y"], [helper.make_node("Tanh", ["x"], ["y"])],
                                                [helper.make_opsetid("", 18)]))


def sparse(values=(1.0,)):
    return helper.make_sparse_tensor(numpy_helper.from_array(np.float32(values), "sparse"),
                                     numpy_helper.from_array(np.array([0])), [CHANNELS])


def with_sparse_weight(model):
    model.graph.sparse_initializer.append(sparse())


def sparse_elsewhere():
    """Sparse weights of a step, in the file of the network itself: one that is there."""
    weights = sparse()
    move_out(weights.values, "m.onnx")
    return as_constant(sparse_value=weights)


def cut(tensor):
    tensor.raw_data = tensor.raw_data[:-4]


def claimed_dims(*dims):
    def edit(tensor):
        tensor.dims[:] = dims

    return edit


def twice(model):
    model.graph.node.append(make("Tanh", "odds", "probabilities"))


def number_of_film(output="count"):
    """A number that depends on the poster, of shape (1,) and type int64."""
    return [largest("pixels", "brightest"), make("Cast", "brightest", "whole", to=TensorProto.INT64),
            make("Reshape", "whole one", output)]


ONE = {"one": np.array([1])}
ZERO = {"zero": np.zeros(1, np.float32)}
COUNTED, SIZES = number_of_film(), make("Concat", "count count count count count", "sizes", axis=0)


# Two numbers of shape (1,) that nobody knows beforehand: 0 and 1.
AXES = [*COUNTED, make("Sub", "count count", "axis0"), make("Add", "axis0 one", "axis1")]


def all_with_all(operator, *inputs, **weights):
    """The poster network with an operator on a row of numbers, and on a column of them."""
    return with_steps(*AXES, make("Unsqueeze", "numbers axis0", "row"), make("Unsqueeze", "numbers axis1", "column"),
                      make(operator, " ".join(inputs), "large"), largest("large"), numbers=np.zeros(8000, np.float32),
                      **weights, **ONE)


def claimed(model_bytes, name, *dims):
    """A network that says of one of its values which size it has."""
    model = onnx_models.parsed(model_bytes)
    model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
    return model.SerializeToString()


def last_step_of_any_size(model):
    step(model, "probabilities").output[0] = "answers"
    model.graph.node.extend([*COUNTED, make("Concat", "count count", "many", axis=0),
                             make("Expand", "answers many", "probabilities")])
    model.graph.initializer.append(numpy_helper.from_array(ONE["one"], "one"))


def last_step(operator, **weights):
    """The poster network with one more step, which gives its probabilities."""
    def change(model):
        step(model, "probabilities").output[0] = "answers"
        model.graph.node.append(make(operator, " ".join(["answers", *weights]), "probabilities"))
        model.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in weights.items())

    return network(change)


def doubled_text(times):
    """Text that doubles with each step: one value, however long."""
    texts = [helper.make_node("Constant", [], ["text0"], value_string="x"),
             *(make("StringConcat", f"text{number} text{number}", f"text{number + 1}") for number in range(times))]
    model = onnx_models.parsed(with_steps(*texts, make("Equal", f"text0 text{times}", "same"),
                                          make("Cast", "same", to=TensorProto.FLOAT)))
    model.opset_import[0].version = 20
    return model.SerializeToString()


def fusion_of_nothing():
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
            for name, size in (("present", 0), ("probabilities", len(GENRES)))]
    steps = [make("MatMul", "present weights", "odds"), make("Sigmoid", "odds", "probabilities")]
    weights = numpy_helper.from_array(np.zeros((0, len(GENRES)), np.float32), "weights")
    graph = helper.make_graph(steps, "fusion", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {onnx_models.KEY: json.dumps({**onnx_models.ABOUT, "modality": None})})
    return model.SerializeToString()


def growing_with_the_batch(factors):
    """As many numbers as films to the power of `factors`: one for a film alone."""
    steps = [make("ReduceMax", "pooled axis", "of_film", keepdims=0)]
    for number in range(factors):
        shape = f"shape{number}"
        steps += [make("Reshape", f"of_film {shape}", f"factor{number}"),
                  make("Mul", f"{f'product{number - 1}' if number else 'of_film'} factor{number}", f"product{number}")]
    shapes = {f"shape{number}": np.array([-1] + [1] * (number + 1)) for number in range(factors)}
    return with_steps(*steps, largest(f"product{factors - 1}"), axis=np.array([1]), **shapes)


def many_large_steps(count, size):
    steps = [make("ConstantOfShape", "size", f"large{number}") for number in range(count)]
    return with_steps(*steps, make("Sum", " ".join(f"large{number}" for number in range(count)), "all"), largest("all"),
                      size=np.array([size]))


CASES = {
    "empty": b"",
    "half": lambda data: data[:len(data) // 2],
    "last byte missing": lambda data: data[:-1],
    "first bytes missing": lambda data: data[100:],
    "text": b"not a model",
    "a pickle": pickle.dumps(Harmful()),
    "a JPEG": b"\xff\xd8\xff\xe0" + bytes(99),
    "the end of another file": lambda data: data + b"\0",
    # --- metadata
    "no metadata": network(lambda model: model.metadata_props.pop()),
    "metadata under another name": network(lambda model: setattr(model.metadata_props[0], "key", "other")),
    "metadata that is no JSON": about("{"),
    "metadata that is nested": about("[" * 100_000),
    "metadata that is no table": about([1]),
    "metadata of another format": about(format=99),
    "metadata of another modality": about(modality="overview", vocabulary=OF_OVERVIEWS["vocabulary"]),
    "metadata of no modality": about(modality=None, channels={"cnn": 4}),
    "more genres": about(genres=["A", "B", "C", "D"], base_rates=None),
    "fewer genres": about(genres=["A", "B"], base_rates=None),
    "another image size": about(image_size=[7, 4]),
    "no image size": about(image_size=None),
    "a fusion of nothing": fusion_of_nothing(),
    "another decoder": about(decoder="other"),
    # --- inputs and outputs
    "an input of another type": with_value("poster", lambda kind: setattr(kind, "elem_type", TensorProto.FLOAT)),
    "an input of one film": with_value("poster", lambda kind: setattr(kind.shape.dim[0], "dim_value", 1)),
    "an input of another size": with_value("poster", lambda kind: setattr(kind.shape.dim[1], "dim_value", 12)),
    "an input without shape": with_value("poster", lambda kind: kind.ClearField("shape")),
    "one more input": network(lambda model: model.graph.input.append(
        helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))),
    "no input": network(lambda model: model.graph.input.pop()),
    "an output's name that is no text": network(lambda model: None).replace(b"features", b"feature\xff"),
    "a size's name that is no text": with_value("features", lambda kind: setattr(kind.shape.dim[0], "dim_param", "a name")
                                                ).replace(b"a name", b"a nam\xff"),
    "a value's name that is no text": network(lambda model: None).replace(b"active", b"activ\xff"),
    "no features": network(lambda model: model.graph.output.remove(value(model, "features"))),
    "no probabilities": network(lambda model: model.graph.output.remove(value(model, "probabilities"))),
    "one more output": network(lambda model: model.graph.output.append(
        helper.make_tensor_value_info("odds", TensorProto.FLOAT, ["batch", len(GENRES)]))),
    "an output twice": network(lambda model: model.graph.output.append(value(model, "features"))),
    "features without size": with_value("features", lambda kind: kind.shape.dim[1].Clear()),
    "features of another size": with_value("features", lambda kind: setattr(kind.shape.dim[1], "dim_value", 7)),
    "features in 16 bits": with_value("features", lambda kind: setattr(kind, "elem_type", TensorProto.FLOAT16)),
    # --- steps
    "no graph": network(lambda model: model.ClearField("graph")),
    "no steps": network(lambda model: model.graph.ClearField("node")),
    "an operator of others": with_steps(make("Evil", "pooled", domain="evil"), imports=["evil"]),
    "an operator of another domain": with_steps(make("Scaler", "pooled", domain="ai.onnx.ml"), imports=["ai.onnx.ml"]),
    "an unknown operator": with_step("active", lambda node: setattr(node, "op_type", "New")),
    "an operator whose name has no end": with_step("active", lambda node: setattr(node, "op_type", "N" * 10**6)),
    "an unknown operator of ONNX Runtime": with_steps(make("New", "pooled", domain="com.microsoft"),
                                                      imports=["com.microsoft"]),
    "an operator of a newer standard": network(lambda model: setattr(model.opset_import[0], "version", 99)),
    "no standard": network(lambda model: model.ClearField("opset_import")),
    "a newer file format": network(lambda model: setattr(model, "ir_version", 99)),
    "a loop": loop(),
    "a scan": scan(),
    "a branch": branch(),
    "a function of its own": network(own_function),
    "a step for training": network(lambda model: model.training_info.add()),
    "an attribute of another type": with_step("sums", lambda node: node.attribute[0].CopyFrom(
        helper.make_attribute("pads", "1111"))),
    "an unknown attribute": with_step("active", lambda node: node.attribute.append(helper.make_attribute("new", 1))),
    "a step in a circle": with_step("scaled", lambda node: node.input.__setitem__(0, "sums")),
    "steps in another order": network(lambda model: model.graph.node.reverse()),
    "an input of a step that is nowhere": with_step("active", lambda node: node.input.__setitem__(0, "nowhere")),
    "two steps of one name": network(twice),
    "a step without output": with_step("active", lambda node: node.output.pop()),
    "a step without input": with_step("active", lambda node: node.input.pop()),
    # --- weights
    "a weight missing": network(lambda model: model.graph.initializer.remove(weight(model, "kernel"))),
    "a weight twice": network(lambda model: model.graph.initializer.append(weight(model, "kernel"))),
    "NaN weights": replaced("trust", np.full((CHANNELS, len(GENRES)), np.nan, np.float32)),
    "infinite weights": replaced("bias", np.full(CHANNELS, -np.inf, np.float32)),
    "NaN weights in 16 bits": with_steps(make("Cast", "half", to=TensorProto.FLOAT), half=np.float16(np.nan)),
    "NaN weights in 64 bits": with_steps(make("Cast", "double", to=TensorProto.FLOAT), double=np.float64(np.nan)),
    "NaN weights in bfloat16": with_steps(make("Cast", "short", to=TensorProto.FLOAT),
                                          short=helper.make_tensor("short", TensorProto.BFLOAT16, [], [np.nan])),
    "NaN in a step": as_constant(value=numpy_helper.from_array(np.float32(np.nan))),
    "NaN as a number of a step": as_constant(value_float=float("nan")),
    "NaN among numbers of a step": as_constant(value_floats=[float("inf")] * CHANNELS),
    "sparse weights": network(with_sparse_weight),
    "sparse weights in a step": as_constant(sparse_value=sparse()),
    "sparse weights in another file": sparse_elsewhere(),
    "weights of another shape": replaced("trust", onnx_models.normal(CHANNELS + 1, len(GENRES))),
    "weights of another type": replaced("trust", np.zeros((CHANNELS, len(GENRES)), INT64)),
    "weights of an unknown type": with_weight("trust", lambda tensor: setattr(tensor, "data_type", 77)),
    "weights of no type": with_weight("trust", lambda tensor: setattr(tensor, "data_type", 0)),
    "weights that are text": replaced("trust", np.full((CHANNELS, len(GENRES)), b"x", object)),
    "weights cut short": with_weight("trust", cut),
    "weights without data": with_weight("trust", lambda tensor: tensor.ClearField("raw_data")),
    "a size below 0": with_weight("trust", claimed_dims(-CHANNELS, -len(GENRES))),
    "a huge size with little data": with_weight("trust", claimed_dims(40_000, 40_000)),
    "sizes that overflow": with_weight("trust", claimed_dims(2**62, 2**62)),
    "weights in a file of the system": external("/etc/passwd"),
    "weights in a file above": external("../x"),
    "weights in its own file": external("m.onnx"),
    "weights of a step in another file": external("/etc/passwd", in_attribute),
    # --- memory
    "Expand to gigabytes": with_steps(make("Expand", "zero size", "large"), largest("large"), zero=np.float32(0),
                                      size=np.array([30_000, 30_000])),
    "Tile to gigabytes": with_steps(make("Tile", "zero size", "large"), largest("large"), size=np.array([10**9]), **ZERO),
    "ConstantOfShape of gigabytes": with_steps(make("ConstantOfShape", "size", "large"), largest("large"),
                                               size=np.array([50_000, 50_000])),
    "Range to gigabytes": with_steps(make("Range", "zero end step", "large"), largest("large"), zero=np.float32(0),
                                     end=np.float32(1e9), step=np.float32(1)),
    "Pad to gigabytes": with_steps(make("Pad", "pooled size", "large"), largest("large"), size=np.array([0, 0, 0, 10**9])),
    "Resize to gigabytes": with_steps(make("Resize", "planes nothing scales", "large"), largest("large"),
                                      nothing=np.zeros(0, np.float32), scales=np.float32([1, 1, 10_000, 10_000])),
    "OneHot of gigabytes": with_steps(make("OneHot", "whole depth pair", "large"), largest("large"), depth=np.array(10**9),
                                      whole=np.array([1]), pair=np.float32([0, 1])),
    "Expand by what is in a poster": with_steps(*COUNTED, SIZES, make("Expand", "zero sizes", "large"), largest("large"),
                                                zero=np.float32(0), **ONE),
    "Tile by what is in a poster": with_steps(*COUNTED, make("Tile", "zero count", "large"), largest("large"),
                                              zero=np.zeros(10**6, np.float32), **ONE),
    "ConstantOfShape by what is in a poster": with_steps(*COUNTED, SIZES, make("ConstantOfShape", "sizes", "large"),
                                                         largest("large"), **ONE),
    "a rank by what is in a poster": with_steps(
        *COUNTED, make("Sub", "count count", "axis"), make("Unsqueeze", "zero axis", "line"),
        make("Expand", "line size", "large"), largest("large"), size=np.array([30_000, 30_000]), **ONE, **ZERO),
    "a size that is claimed": claimed(with_steps(*COUNTED, SIZES, make("ConstantOfShape", "sizes", "large"),
                                                 largest("large"), **ONE), "large", 1, 1, 1, 1, 1),
    "a last step of any size": network(last_step_of_any_size),
    "numbers that grow faster than the films": growing_with_the_batch(7),
    "gigabytes in many steps": many_large_steps(20, 20_000_000),
    "text that doubles with each step": doubled_text(28),
    "one answer for all films": last_step("ReduceMax", films=np.array([0])),
    "the answers of all films in a line": last_step("Reshape", line=np.array([1, -1])),
    "Concat that doubles what is of unknown rank": with_steps(
        *AXES, make("Unsqueeze", "zero axis0", "twice0"),
        *(make("Concat", f"twice{number} twice{number}", f"twice{number + 1}", axis=0) for number in range(26)),
        largest("twice26"), **ONE, **ZERO),
    "all with all, of unknown rank": all_with_all("Mul", "column", "row"),
    "a product of matrices of unknown rank": all_with_all("MatMul", "column", "row"),
    "the same row again and again, of unknown rank": all_with_all("Gather", "row", "nought", nought=np.zeros(8000, INT64)),
    "Conv of unknown rank with wide edges": with_steps(
        *AXES, make("Unsqueeze", "planes axis0", "five"), make("Squeeze", "five axis0", "four"),
        make("Conv", "four kernel", "large", pads=[2000] * 4), largest("large"), **ONE),
    "a window by what is in a poster": with_steps(
        *COUNTED, make("Mul", "count many", "sizes"), make("Reshape", "sizes none", "number"),
        make("HannWindow", "number", "large"), largest("large"), many=np.array([10**7]), none=np.zeros(0, INT64), **ONE),
    "edges by what is in a poster": with_steps(
        *COUNTED, make("Mul", "count many", "sizes"), make("CenterCropPad", "zero sizes", "large", axes=[0]),
        largest("large"), many=np.array([10**7]), **ONE, **ZERO),
    "a sequence": with_steps(make("SequenceConstruct", "pooled pooled", "list"), make("SequenceAt", "list first"),
                             first=np.array(0)),
}


@pytest.mark.parametrize("case", CASES)
def test_is_refused_by_name_and_without_side_effect(tmp_path, monkeypatch, capfd, case):
    monkeypatch.chdir(tmp_path)
    data = CASES[case]
    (tmp_path / "m.onnx").write_bytes(data if isinstance(data, bytes) else data(network(lambda model: None)))
    with pytest.raises(InputError, match=r"m\.onnx: expected .*; found ") as error:
        Network(tmp_path / "m.onnx")
    assert len(str(error.value)) < 2000 and one_line(str(error.value)).isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"] and capfd.readouterr() == ("", "")


WORDS = " ".join(OF_OVERVIEWS["vocabulary"]["tokens"])
VOCABULARIES = {
    "none": lambda about: about.pop("vocabulary"),
    "null": lambda about: about.update(vocabulary=None),
    "empty": lambda about: about.update(vocabulary={}),
    "with more in it": lambda about: about["vocabulary"].update(more=1),
    "of a number": lambda about: about["vocabulary"].update(tokens=7),
    "of lists": lambda about: about["vocabulary"].update(tokens=[["word1"]]),
    "a length that is text": lambda about: about["vocabulary"].update(max_length="9"),
    "a length that is no whole number": lambda about: about["vocabulary"].update(max_length=1.5),
    "no length": lambda about: about["vocabulary"].update(max_length=None),
    "a length of 0": lambda about: about["vocabulary"].update(max_length=0),
    "a length below 0": lambda about: about["vocabulary"].update(max_length=-1),
    "a huge length": lambda about: about["vocabulary"].update(max_length=10**9),
    "more words than word vectors": lambda about: about["vocabulary"]["tokens"].insert(0, "more"),
    "subwords that are none": lambda about: about.update(vocabulary={**SUBWORDS, "tokenizer": "{}"}),
    "subwords that are a list": lambda about: about.update(vocabulary={**SUBWORDS, "tokenizer": []}),
    "subwords with a length below 0": lambda about: about.update(vocabulary={**SUBWORDS, "max_length": -1}),
    "more subwords than vectors": lambda about: about.update(vocabulary={**SUBWORDS, "tokenizer": word_pieces(first=9)}),
}


def word_pieces(first=1):
    """A tokenizer of the words `word0` and so on, which have the ids from `first` on, as JSON."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    ids = {"[UNK]": 0, **{word: first + number for number, word in enumerate(WORDS.split())}}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str()


SUBWORDS = {"tokenizer": word_pieces(), "max_length": 9, "hidden": 1, "special": [], "meaningless": [1]}


def overview(change=lambda about: None):
    """The overview network with changed metadata."""
    model, content = onnx_models.overview_network(), copy.deepcopy(OF_OVERVIEWS)
    change(content)
    onnx_models.set_metadata(model, content)
    return model.SerializeToString()


def score(path):
    """What a network gives of a few films."""
    network = Network(path)
    if network.modality == "poster":
        films = Posters(RNG(0).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8), np.full(3, True))
    else:
        films = network.vocabulary.encode([WORDS, *WORDS.split(), "word1 nothing", "nothing"])
    rows = np.flatnonzero(films.present)
    return rows, *network.encode(rows, films)


@pytest.mark.parametrize("case", VOCABULARIES)
def test_a_vocabulary_that_makes_no_sense_is_refused(tmp_path, case):
    (tmp_path / "m.onnx").write_bytes(overview(VOCABULARIES[case]))
    with pytest.raises(InputError, match=r"m\.onnx: expected .*; found "):
        score(tmp_path / "m.onnx")


def test_undamaged_ones_are_loaded(tmp_path):
    for data in (network(lambda model: None), overview(), overview(lambda about: about.update(vocabulary=SUBWORDS))):
        (tmp_path / "m.onnx").write_bytes(data)
        rows, features, probabilities = score(tmp_path / "m.onnx")
        assert features.shape == (len(rows), CHANNELS) and np.isfinite(features).all()
        assert ((probabilities > 0) & (probabilities < 1)).all()


def damage(path, data, number):
    """Scores with one of the many damaged copies of a network, and tells whether it was refused."""
    path.write_bytes(mutated(data, RNG(number)))
    try:
        rows, features, probabilities = score(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: expected ") and one_line(str(error)).isprintable()
        return True
    assert features.shape[0] == len(rows) and probabilities.shape == (len(rows), len(GENRES))
    return False


@pytest.mark.parametrize("kind", ["poster", "overview"])
def test_damage_anywhere_is_refused_or_harmless(tmp_path, capfd, kind):
    data = network(lambda model: None) if kind == "poster" else overview()
    refused = [damage(tmp_path / "m.onnx", data, number) for number in range(2500)]
    assert 1000 < sum(refused) < 2500 and capfd.readouterr() == ("", "")
