"""The pages that show film by film, a gallery and a page for reviewing, and what they load."""

from pathlib import Path

import numpy as np

from movie_genres.reporting.films import Bools, Films
from movie_genres.reporting.packing import write_films
from movie_genres.reporting.site import Page

MOST_BYTES = 4_300_000  # of the films' data: with what else shows films, at most 5 MB beside the pictures of a site


def film_pages(films: Films, pictured: Bools, folder: Path) -> list[Page]:
    """The pages of some films, after their data has been written to the site's folder.

    `pictured`: which films have a thumbnail there, of shape (films,).
    """
    cut = write_films(films, pictured, folder, MOST_BYTES)
    disagreement = films.disagreement()
    context = {"films": len(films.ids), "has_truth": films.truth is not None,
               "has_disagreement": disagreement is not None and not np.isnan(disagreement).all(), "cut": cut}
    return [Page("gallery.html", "Gallery", "gallery.html.j2", context),
            Page("review.html", "Review", "review.html.j2", context)]
