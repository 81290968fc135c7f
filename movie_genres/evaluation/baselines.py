"""What a network must beat: TF-IDF with logistic regression, fitted on the training overviews."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from movie_genres.base.options import STRICT
from movie_genres.inputs.prepared import Prepared
from movie_genres.inputs.text import normalise


@dataclass(config=STRICT, frozen=True, kw_only=True)
class BaselinesOptions:
    """The `baselines` section of `params.yaml`.

    Attributes:
        longest_phrase: phrases of one to so many words are counted.
        min_films: phrases in fewer training overviews are left out.
        inverse_regularisation: C of the logistic regression.
    """

    longest_phrase: int = Field(ge=1)
    min_films: int = Field(ge=1)
    inverse_regularisation: float = Field(gt=0)


def tfidf_probabilities(prepared: Prepared, options: BaselinesOptions) -> NDArray[np.float32]:
    """Fits TF-IDF and a logistic regression for each genre on the training films, and answers for all films.

    A genre that no, or every, training film has gets its base rate.
    """
    overviews = [normalise(overview) for overview in prepared.films["overview"]]
    train, labels = prepared.rows("train"), prepared.labels
    vectorizer = TfidfVectorizer(ngram_range=(1, options.longest_phrase), min_df=options.min_films, sublinear_tf=True,
                                 token_pattern=r"\S+", lowercase=False)
    features = vectorizer.fit([overviews[row] for row in train]).transform(overviews)
    probabilities = np.tile(prepared.base_rates().astype(np.float32), (len(overviews), 1))
    for genre in np.flatnonzero(labels[train].min(axis=0) != labels[train].max(axis=0)):
        model = LogisticRegression(C=options.inverse_regularisation, solver="liblinear", random_state=0)
        model.fit(features[train], labels[train, genre])
        probabilities[:, genre] = model.predict_proba(features)[:, 1]
    return probabilities
