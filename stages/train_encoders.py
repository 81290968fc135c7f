"""Runs or fine-tunes the encoders, or files of embeddings, of the section `encoders`; keeps what they say of all films."""

from pathlib import Path

import click

from movie_genres.checkpoints.backend import import_tensorflow
from stages.common import encoder_inputs, params_option, path_option, read_options, running, write_names


@click.command(help=__doc__)
@encoder_inputs
@path_option("--models", "models/encoders", "Folder for the models.", folder=True)
@path_option("--history", "history/encoders", "Folder for epochs' figures.", folder=True)
@path_option("--metrics", "metrics/encoders", "Folder for the best figures.", folder=True)
@path_option("--out", "answers/encoders", "Folder for what the models say of all films.", folder=True)
@path_option("--state", "state/encoders", "Folder for what an interrupted training goes on from.", folder=True)
@path_option("--live", "live/encoders", "Folder for DVCLive, if the parameters ask for it.", folder=True)
@params_option
def main(prepared: Path, posters: Path, texts: Path, embeddings: Path, models: Path, history: Path, metrics: Path,
         out: Path, state: Path, live: Path, params: Path) -> None:
    with running():
        named = list(read_options(params, "encoders", dict[str, dict]))
        if taken := sorted({"cnn", "lstm", "fusion"} & set(named)):
            raise click.UsageError(f"{params}: expected other names in the section encoders; found {', '.join(taken)}, "
                                   "which models of the pipeline have.")
        metrics.mkdir(parents=True, exist_ok=True)
        for folder in (models, history, out):
            write_names(folder, named)
        if not named:
            click.echo("no encoders are named")
            return
        import_tensorflow()
        from movie_genres.networks.encoders import train_encoder
        from movie_genres.training.outputs import Outputs
        from stages.encoders import load_encoder_inputs, read_encoders

        encoders = read_encoders(params, embeddings)
        films, readable, on_posters = load_encoder_inputs(prepared, posters, texts)
        for name, options in encoders.items():
            summary = train_encoder(films, readable, options, Outputs(
                models / f"{name}.keras", history / f"{name}.csv", metrics / f"{name}.json", out / name, state / name,
                live / name), on_posters)
            click.echo(f"{name}: validation skill {summary['skill']:.1%}")


if __name__ == "__main__":
    main()
