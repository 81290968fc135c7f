"""The stages of `dvc.yaml`: small commands around `movie_genres`, run as `python -m stages.NAME`."""

import importlib.util
import sys

from genre_cli.advice import explain
from movie_genres.base.errors import MissingPackageError

if not all(map(importlib.util.find_spec, ("yaml", "pandas", "tensorflow"))):
    sys.exit(f"Error: {explain(MissingPackageError('The pipeline', 'tensorflow', 'train'))}")
