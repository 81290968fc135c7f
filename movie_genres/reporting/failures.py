"""What the kinds of failures in a scored catalogue mean, and what to do about each."""

from typing import NamedTuple

from movie_genres.reporting.scored import Scored
from movie_genres.scoring.rows import OK

AGAIN = "Then score the failed rows again."
# By status: what it says, and what to do.
MEANINGS = {
    "missing": ("There is no poster file at the place that a list or a table names.",
                f"Put the file there, or correct the path. Relative paths in a table start at the table's folder. {AGAIN}"),
    "unreadable": ("The poster is there but could not be read: permissions, a damaged archive, or a URL without an answer.",
                   f"Look at the error. Mend the permissions, or wait until the server answers. {AGAIN}"),
    "not_a_file": ("What is at the poster's place is a folder, a pipe or a device.", f"Put a file there. {AGAIN}"),
    "too_large": ("The poster's file has more bytes, or its picture more pixels, than are allowed.",
                  f"Make the picture smaller, or allow more bytes or pixels for pictures that you trust. {AGAIN}"),
    "empty": ("The poster's file has no bytes; often a download that failed.", f"Get the poster again. {AGAIN}"),
    "not_an_image": ("The poster's file is not a picture in a known format; often a web page saved under a picture's name.",
                     f"Get the poster again, as JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF. {AGAIN}"),
    "corrupt": ("The picture is damaged or cut short.", f"Get the poster again. {AGAIN}"),
    "not_allowed": ("The poster is at a place that lists and tables may not lead to.",
                    f"Move it below the folder of posters, or allow the place if you trust the list. {AGAIN}"),
    "bad_row": ("A row of the table has missing, extra or far too long cells.",
                f"Mend the row that the error names; often a quotation mark is missing. {AGAIN}"),
    "no_text": ("The models look at the text on posters alone, and this poster has none that can be read.",
                "Score it with models that look at pictures, or give an overview."),
    "no_embedding": ("The models take embeddings of films alone, and none is given for this film.",
                     "Add the film to the file of embeddings, or score it with models that look at posters and overviews."),
    "no_answer": ("None of the models has anything to go by of this film.",
                  "Give a poster or an overview, or score it with models that look at what it has."),
    "empty_text": ("The overview has no word.", f"Write an overview, or give a poster. {AGAIN}"),
    "unknown_text": ("The models know no word of the overview; often it is in another language.",
                     f"Translate it into the language of the training films, or give a poster. {AGAIN}"),
}
OTHER = ("A kind of failure that this version does not know.", "Look at the error of its films.")


class Failure(NamedTuple):
    """The rows of one status. `answered`: how many have genres all the same; `examples`: ids and errors."""

    status: str
    rows: int
    answered: int
    meaning: str
    remedy: str
    examples: list[tuple[str, str]]


def failures_of(scored: Scored) -> list[Failure]:
    """The failures of a scored catalogue by kind, the most frequent first."""
    return [Failure(status, count, scored.answered[status], *MEANINGS.get(status, OTHER), scored.examples[status])
            for status, count in scored.statuses.most_common() if status != OK]
