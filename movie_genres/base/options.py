"""Shared settings of the option classes, whose fields are the keys of `params.yaml`."""

from pydantic import ConfigDict, ValidationError

STRICT = ConfigDict(extra="forbid")


def first_problem(error: ValidationError) -> str:
    """The first problem of an error: where it is, and what is wrong there."""
    problem = error.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
