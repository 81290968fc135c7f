"""How figures and names are written on pages."""

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping

NONE = "–"  # of a figure that is not defined
THIN = "\N{NO-BREAK SPACE}"
METRICS = {"skill": "skill", "f1": "F1", "macro_f1": "macro F1", "map": "mAP", "recall_at_precision": "recall at precision"}
LABELS = {"base_rate": "base rates", "tfidf": "TF-IDF"}
ESCAPED = {ord(mark): f"\\{mark}" for mark in string.punctuation if mark not in "-,'/%"}


def share(value: float | None, digits: int = 1) -> str:
    """A share as per cent; NaN and None as a dash."""
    return NONE if value is None or value != value else f"{100 * value:.{digits}f}{THIN}%"


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point; NaN and None as a dash."""
    return NONE if value is None or value != value else f"{value:.{digits}f}"


def count(value: float) -> str:
    """A whole number, with commas between thousands."""
    return f"{int(value):,}"


def between(found: Mapping[str, float] | None, digits: int = 1) -> str:
    """An interval of a share, `low` to `high`, as per cent."""
    return NONE if found is None else f"{100 * found['low']:.{digits}f} to {100 * found['high']:.{digits}f}{THIN}%"


def difference(value: float | None) -> str:
    """A difference of two shares, in points, with its sign."""
    return NONE if value is None else f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    *others, last = list(names) or [NONE]
    return f"{', '.join(others)} and {last}" if others else last


def label(model: str) -> str:
    """What a model or a baseline is called."""
    return LABELS.get(model, model)


def markdown(text: object) -> str:
    """Text from outside, such that Markdown shows it as it is: on one line, no mark means anything."""
    visible = "".join(" " if unicodedata.category(mark) in ("Cc", "Zl", "Zp") else mark for mark in str(text))
    escaped = re.sub(" +", " ", visible).strip().translate(ESCAPED)
    return re.sub(r"(?<=\d)\\\.(?=\d)", ".", escaped)  # a point within a number is none


def slugs(names: Iterable[str]) -> dict[str, str]:
    """For each name another one that is safe in a file name and in an address, of a-z, 0-9 and hyphens; no two alike."""
    found: dict[str, str] = {}
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        base = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "genre"
        taken, slug, place = set(found.values()), base, 2
        while slug in taken:
            slug, place = f"{base}-{place}", place + 1
        found[name] = slug
    return found
