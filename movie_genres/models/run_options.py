"""How networks are run."""

from dataclasses import dataclass
from typing import Annotated

from movie_genres.base.settings import Option


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How networks are run. What is scored in larger steps fits a processor's cache less well, and a GPU better."""

    device: Annotated[str, Option("Models", "What computes; auto: a GPU where there is one.",
                                  choices=("auto", "cpu", "cuda"))] = "auto"
    dtype: Annotated[str, Option("Models", "int8: models that have a copy in 8 bits are run by that, three times "
                                 "as fast on a processor; auto: there alone.",
                                 choices=("auto", "int8", "float32"))] = "auto"
    batch_size: Annotated[int, Option("Models", "Films a step.", least=1)] = 32
    threads: Annotated[int | None, Option("Models", "Threads to decode and compute with.", least=1,
                                          default="all cores; 1 for each shard with Ray")] = None

    def dtype_on(self, device: str) -> str:
        """`int8` or `float32`, on the device that was found."""
        return {"cpu": "int8", "cuda": "float32"}[device] if self.dtype == "auto" else self.dtype
