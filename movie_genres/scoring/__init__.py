"""A scoring job: the films, their posters, chunks, rows, files and engines."""
