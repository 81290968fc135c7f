"""What the code promises about itself, beside what ruff, mypy and import-linter hold."""

import ast
import json
import re
from types import SimpleNamespace

import pytest
import yaml
from conftest import REPOSITORY
from pydantic import TypeAdapter, ValidationError

from genre_cli.advice import ADVICE, explain, install_command
from movie_genres.base.errors import InputError, MissingPackageError, Remedy, SettingError, UserError
from movie_genres.data.preparing import PrepareOptions
from movie_genres.data.vectorizing import VectorizeOptions
from movie_genres.evaluation.auditing import AuditOptions
from movie_genres.evaluation.baselines import BaselinesOptions
from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.evaluation.tuning import TuneOptions
from movie_genres.networks.cnn import CnnOptions
from movie_genres.networks.fusion import FusionOptions
from movie_genres.networks.lstm import LstmOptions
from movie_genres.reporting.run_films import ReportOptions
from stages.predict import PredictOptions

LIBRARY = sorted({*(REPOSITORY / "movie_genres").rglob("*.py")} - {REPOSITORY / "movie_genres" / "__main__.py"})
SECTIONS = {"prepare": PrepareOptions, "vectorize": VectorizeOptions, "cnn": CnnOptions, "lstm": LstmOptions,
            "fusion": FusionOptions, "baselines": BaselinesOptions, "audit": AuditOptions, "tune": TuneOptions,
            "evaluate": EvaluateOptions, "report": ReportOptions, "predict": PredictOptions}
# Options and commands; colours of a site, such as --series-1, are none.
COMMANDS = re.compile(r"--(?!series-|ink\b)[a-z]|\bdvc (repro|add|exp)|\bgenre-(data|predict|report)|\bpip install|"
                      r"params\.yaml|python -m")


def texts(tree):
    """All texts of a module but its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree)
                  if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)}
    return [node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings]


@pytest.mark.parametrize("file", LIBRARY, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_the_library_names_no_commands_in_its_messages(file):
    assert [text for text in texts(ast.parse(file.read_text())) if COMMANDS.search(text)] == []


@pytest.mark.parametrize("file", LIBRARY, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_modules_and_functions_are_short(file):
    source = file.read_text()
    assert source.count("\n") <= 300
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [node.name for node in functions if node.end_lineno - node.lineno >= 60] == []


@pytest.mark.parametrize("error, expected", [
    (UserError("a: b.", Remedy.TUNE), "a: b. Run: dvc repro tune"),
    (InputError("t.csv", "a", "b", setting="id_column"), "t.csv: expected a; found b. Name it with --ID."),
    (InputError("t.csv", "a", "b", setting="encoding"), "t.csv: expected a; found b."),
    (SettingError("devices", "one", "two"), "devices: expected one; found two."),
    (InputError("t.csv", "a", "b", "Mend it."), "t.csv: expected a; found b. Mend it."),
    (SettingError("num_shards", "one", "two"), "--NUM: expected one; found two."),
    (MissingPackageError("Parquet", "pyarrow", "parquet"),
     "Parquet needs the package pyarrow. Install it with: pip install 'movie-genres[parquet]'"),
    (MemoryError(), "MemoryError"),
])
def test_errors_are_explained_in_terms_of_the_command(error, expected, monkeypatch):
    monkeypatch.setattr("importlib.metadata.distributions", lambda **_: [])
    assert explain(error, {"id_column": "--ID", "num_shards": "--NUM"}.get) == expected


@pytest.mark.parametrize("origin, expected", [
    (None, "pip install 'movie-genres[gpu]'"),
    ({"url": "https://a.b/m.whl", "archive_info": {}}, "pip install 'movie-genres[gpu] @ https://a.b/m.whl'"),
    ({"url": "file:///a/m.whl", "archive_info": {}}, "pip install 'movie-genres[gpu] @ file:///a/m.whl'"),
    ({"url": "file:///a%20b", "dir_info": {"editable": True}}, "pip install -c '/a b/constraints.txt' -e '/a b[gpu]'"),
])
def test_an_extra_is_added_to_the_installation_as_it_was_made(monkeypatch, origin, expected):
    found = [SimpleNamespace(read_text=lambda name, text=text: text) for text in (None, origin and json.dumps(origin))]
    monkeypatch.setattr("importlib.metadata.distributions", lambda **_: found)
    assert install_command("gpu") == expected


def test_every_remedy_has_its_advice():
    assert set(ADVICE) == set(Remedy)


@pytest.mark.parametrize("section, kind", SECTIONS.items())
def test_a_key_that_is_missing_from_the_parameters_is_an_error(section, kind):
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text())[section]
    TypeAdapter(kind).validate_python(content)
    for key in content:
        with pytest.raises(ValidationError, match=key):
            TypeAdapter(kind).validate_python({name: value for name, value in content.items() if name != key})
