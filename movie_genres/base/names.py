"""Names of films and files as text that any reader takes: outputs hold them so."""

import contextlib
import re

FORMULA = re.compile(r"[=+\-@\t\r]")  # how a cell begins that a spreadsheet may run


def spreadsheet_safe(text: str) -> str:
    """Text with an apostrophe before it, if a spreadsheet may run it as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def escape_name(text: str) -> str:
    """Text that any reader takes, for a file name that is not UTF-8: each odd byte as `\\xNN`, each backslash doubled.

    Names without such bytes stay as they are, but for those that hold a backslash and an x themselves: `restore_name`
    gives back every name.

    >>> escape_name("caf\\udce9")
    'caf\\\\xe9'
    """
    if "\\x" not in text and text.isprintable():  # surrogates are not printable
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair, which no file name can hold
        data = text.encode("utf-8", "surrogatepass")
    if "\\x" not in text:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode()
    return data.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def restore_name(text: str) -> str:
    """The name that `escape_name` made this text of."""
    if "\\x" not in text:
        return text

    def byte(match: re.Match[bytes]) -> bytes:
        return b"\\" if match[1] == b"\\" else bytes([int(match[1][1:], 16)])

    return re.sub(rb"\\(\\|x[0-9a-f]{2})", byte, text.encode()).decode("utf-8", "surrogateescape")
