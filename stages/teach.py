"""Has large networks say of the training films what small ones are to learn, if the parameters ask for a teacher."""

from pathlib import Path

import click

from movie_genres.checkpoints.backend import import_tensorflow
from movie_genres.models.answers import save_teacher
from stages.common import encoder_inputs, params_option, path_option, read_options, running


@click.command(help=__doc__)
@encoder_inputs
@path_option("--out", "teacher", "Folder for what the teacher says.", folder=True)
@path_option("--state", "state/teacher", "Folder for what an interrupted run goes on from.", folder=True)
@params_option
def main(prepared: Path, posters: Path, texts: Path, embeddings: Path, out: Path, state: Path, params: Path) -> None:
    with running():
        if not read_options(params, "teach", dict).get("folds"):
            save_teacher(out, None)
            click.echo("no teacher is asked for")
            return
        import_tensorflow()
        from movie_genres.networks.fusion import FusionOptions
        from movie_genres.networks.teaching import TeachOptions, teach
        from stages.encoders import load_encoder_inputs, read_encoders

        teach(*load_encoder_inputs(prepared, posters, texts), read_encoders(params, embeddings),
              read_options(params, "fusion", FusionOptions), read_options(params, "teach", TeachOptions), out, state)


if __name__ == "__main__":
    main()
