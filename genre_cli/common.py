"""What both console commands share: streams that are there, messages that end no work, errors as one line."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, NoReturn

import click

from genre_cli.advice import explain
from movie_genres.base.errors import LockedError, StoppedError, UserError, one_line

# The first that fits an error decides; documented in the help of the commands.
EXIT_CODES: dict[type[Exception], int] = {LockedError: 75, StoppedError: 1, UserError: 2, OSError: 1, MemoryError: 1}
INTERRUPTED = 130


class Lenient:
    """A text stream like the one it is given, for messages: what cannot be written any more is dropped."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (OSError, ValueError):  # full, or a pipe that nobody reads any more; ValueError: closed
            self._silence()

    def _silence(self) -> None:
        """Lets the stream write to nowhere, also what is still in its buffer: Python flushes it at exit, and complains."""
        with contextlib.suppress(OSError, ValueError):  # not a file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def ensure_streams() -> None:
    """Opens closed standard streams on the null device, so that no file gets their numbers, and fills gaps in `sys`."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))


def say(message: object) -> None:
    """Writes a message to stderr, as one line that can be printed; a stderr that takes no more is passed over."""
    print(one_line(str(message)), file=Lenient(sys.stderr), flush=True)


class Messages(logging.Handler):
    """Hands log records to `say`."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.text(record))

    def text(self, record: logging.LogRecord) -> str:
        return record.getMessage()


def options_of(command: click.Command) -> dict[str | None, str]:
    """The options of a command, and of the commands below it, such as `--id-column`, by the names of their settings."""
    found: dict[str | None, str] = {param.name: param.opts[0] for param in command.params if isinstance(param, click.Option)}
    for below in getattr(command, "commands", {}).values():
        found |= options_of(below)
    return found


@contextlib.contextmanager
def reporting(command: click.Command, tell: Callable[[str], object] = say, interrupted: str = "interrupted"
              ) -> Iterator[None]:
    """Ends the process with one line and the documented exit code where the block raises what the user should see.

    Errors may name the options of the command; `interrupted` is what to say after Ctrl-C.
    """
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = "\n".join(map(one_line, error.message.splitlines()))  # lines: it may be the help
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        tell(interrupted)
        sys.exit(INTERRUPTED)
    except tuple(EXIT_CODES) as error:
        tell(f"Error: {explain(error, options_of(command).get)}")
        sys.exit(next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind)))


class Command(click.Command):
    """A command with standard streams as in `ensure_streams`, and errors as in `reporting`."""

    def main(self, *arguments: Any, **others: Any) -> NoReturn:
        """Runs the command and ends the process; `standalone_mode` has no meaning here."""
        ensure_streams()
        with contextlib.redirect_stderr(Lenient(sys.stderr)):
            try:
                with reporting(self):
                    code = super().main(*arguments, **{**others, "standalone_mode": False})
                    sys.stdout.flush()
            except SystemExit:
                Lenient(sys.stdout).flush()
                raise
        sys.exit(code if isinstance(code, int) else 0)


class Group(Command, click.Group):
    """A command with commands of its own."""
