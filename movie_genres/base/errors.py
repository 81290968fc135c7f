"""Errors that the user can mend. Commands turn them into one line on stderr and an exit code."""

import enum


class Remedy(enum.Enum):
    """What may help against an error. Commands say it in terms of what they offer."""

    IMPORT = enum.auto()  # films into the data folder
    VECTORIZE = enum.auto()  # again
    TRAIN = enum.auto()  # a model, or all of them together
    TRAIN_OTHERS = enum.auto()  # only the models that have films to learn from
    TUNE = enum.auto()  # decisions and ranking again
    REPLACE = enum.auto()  # an output that is there, or score its failed rows again
    SCORE_ANEW = enum.auto()  # all films
    SAME_OR_ANEW = enum.auto()  # the same settings, models and films as a job that has begun, or all anew
    KEY = enum.auto()  # of an API: another one
    GO_ON = enum.auto()  # later: what was collected is kept


def one_line(message: str) -> str:
    """A message with a space for each character that cannot be printed, such as an escape sequence in a file's name."""
    return "".join(character if character.isprintable() else " " for character in message)


class UserError(Exception):
    """Something that the user asked for cannot be done; the message says why."""

    def __init__(self, message: str, remedy: Remedy | None = None):
        super().__init__(message)
        self.remedy = remedy


class InputError(UserError):
    """Input that cannot be used. The message names the file, what was expected and what was found: parts of a sentence.

    `advice` is what to do where that needs no command, and `setting` that by which the user can name what was expected.
    """

    def __init__(self, path: object, expected: str, found: str, advice: str = "", *, remedy: Remedy | None = None,
                 setting: str | None = None):
        super().__init__(f"{path}: expected {expected}; found {found}." + (f" {advice}" if advice else ""), remedy)
        self.setting = setting


class SettingError(UserError):
    """A setting that cannot be used; commands put their option in the place of its name."""

    def __init__(self, setting: str, expected: str, found: str):
        super().__init__(f"{setting}: expected {expected}; found {found}.")
        self.setting, self.problem = setting, f"expected {expected}; found {found}."


class MissingPackageError(UserError):
    """A package that a `purpose`, such as `Parquet`, needs is not installed; the `extra` of this toolkit brings it."""

    def __init__(self, purpose: str, package: str, extra: str):
        super().__init__(f"{purpose} needs the package {package}.")
        self.extra = extra


class LockedError(UserError):
    """Another process works on the same output."""


class StoppedError(UserError):
    """A job was stopped as its user asked: because of failed rows. What is done stays done."""
