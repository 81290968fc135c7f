"""The console commands `genre-data` and `genre-predict`: options and cheap checks around `movie_genres`."""
