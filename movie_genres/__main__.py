"""`python -m movie_genres` is `genre-predict`."""

from genre_cli.predict import main

if __name__ == "__main__":
    main(prog_name="python -m movie_genres")
