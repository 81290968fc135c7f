"""The stages of `dvc.yaml`: small commands around `movie_genres`, run as `python -m stages.NAME`."""
