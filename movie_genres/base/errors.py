"""Errors that the user can mend. Commands turn them into one line on stderr and exit code 2."""


def one_line(message):
    """A message with a space for each character that cannot be printed, such as an escape sequence in a file's name."""
    return "".join(character if character.isprintable() else " " for character in message)


class UserError(Exception):
    """Something that the user asked for cannot be done; the message says why and what to do."""


class InputError(UserError):
    """Input that cannot be used. The message names the file, what was expected, what was found and what to do."""

    def __init__(self, path, expected, found, advice=""):
        super().__init__(f"{path}: expected {expected}; found {found}." + (f" {advice}" if advice else ""))


class LockedError(UserError):
    """Another process works on the same output."""


class StoppedError(UserError):
    """A job was stopped as its user asked: because of failed rows. What is done stays done."""
