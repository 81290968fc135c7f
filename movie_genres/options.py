"""Shared settings of the option classes, whose fields are the keys of `params.yaml`."""

from pydantic import ConfigDict

STRICT = ConfigDict(extra="forbid")
