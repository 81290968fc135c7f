"""Asks TMDB politely: no faster than a rate, again after a while, within limits, and with a key that goes nowhere else."""

import asyncio
import contextlib
import datetime
import email.utils
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from movie_genres.base.errors import InputError, Remedy, SettingError, UserError
from movie_genres.base.files import is_of_machine
from movie_genres.data.access import describe
from movie_genres.data.tmdb import parse_object
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import is_picture

CONCURRENCY = 8  # requests at once; the most that a kill makes ask again
ATTEMPTS = 6
# Seconds before the second attempt, which double with each one, up to a most; and up to BACK_OFF more, at random, so that
# requests do not meet again. All waits together take two minutes or more: a network may be away for one.
BACK_OFF, MAX_BACK_OFF = 4.0, 60.0
MAX_PAUSE = 300.0  # seconds that a server may ask to wait for
MAX_JSON = 10_000_000  # bytes
SLACK = 1.1  # how much longer than needed the time between requests is, so that those that meet on their way keep the rate
TIMES = aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=30)
LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Credentials:
    """An API key of version 3, which goes into the query, or an API read access token, which goes into a header."""

    secret: str = field(repr=False)
    is_token: bool

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[!-~]{16,2000}", self.secret):  # not so short that it may be a part of any answer
            raise UserError("The key of the API has fewer than 16 characters, or some that no key has.", Remedy.KEY)


class AnswerError(Exception):
    """There was no usable answer. `is_passing`: it may help to ask again."""

    def __init__(self, message: str, is_passing: bool = False):
        super().__init__(message)
        self.is_passing = is_passing


class TooLargeError(AnswerError):
    """The answer has more bytes than it may have."""


class MissingError(Exception):
    """There is no such picture, and there will be none."""


class Client:
    """Asks one API, at `url`, and for pictures elsewhere; to be entered. At most `rate` requests in any second.

    Redirects are not followed, no cookies are kept, and the key is sent to the API alone.
    """

    def __init__(self, url: str, credentials: Credentials, rate: float):
        parts = _parts(url)
        self._url, self._scheme, self.host = url.rstrip("/"), parts.scheme, parts.netloc
        self._credentials = credentials
        self._limiter = AsyncLimiter(1, SLACK / rate)
        self._resume = 0.0  # when the server wants to be asked again, by the clock of the loop

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONCURRENCY), cookie_jar=aiohttp.DummyCookieJar(), timeout=TIMES,
            headers={"User-Agent": "movie-genres"})
        await self._limiter.acquire()  # so that the first request waits too: the rate holds from one start to the next
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                        ) -> None:
        await self._session.close()

    def address(self, path: str) -> str:
        """Where a path of the API is, in words, without the key."""
        return f"{self.host}/{path}"

    async def json(self, path: str, question: dict[str, str]) -> bytes:
        """The JSON object, as it came, that the API answers to a question.

        Raises:
            AnswerError: there was none; asked several times, where that might have helped.
            UserError: the key is refused, the API does not know the question, or it wants to be left alone for long.
        """
        return await self._persistently(self._json, path, question)

    async def _json(self, path: str, question: dict[str, str]) -> bytes:
        secret = self._credentials.secret
        headers, query = {"Accept": "application/json"}, dict(question)
        if self._credentials.is_token:
            headers["Authorization"] = f"Bearer {secret}"
        else:
            query["api_key"] = secret
        status, data = await self._get(f"{self._url}/{path}", MAX_JSON, params=query, headers=headers)
        if status in (401, 403):
            raise UserError(f"{self.host} refuses the key (HTTP status {status}).", Remedy.KEY)
        if status != 200:
            raise InputError(self.address(path), "an answer", f"HTTP status {status}")
        if secret.encode() in data:
            raise InputError(self.address(path), "an answer that can be kept", "one that holds the key")
        try:
            parse_object(data)
        except ValueError:
            raise AnswerError("something other than JSON", is_passing=True) from None
        return data

    async def picture(self, url: str) -> bytes:
        """The file of a picture.

        Raises:
            MissingError: there is none, or a larger one than posters may be.
            AnswerError: there was no answer; asked several times, where that might have helped.
        """
        if urlsplit(url).scheme not in ("https", self._scheme):
            raise InputError(self.address("configuration"), "pictures at an address with https://", "another one")
        return await self._persistently(self._picture, url)

    async def _picture(self, url: str) -> bytes:
        try:
            status, data = await self._get(url, Caps().bytes)
        except TooLargeError as error:
            raise MissingError(str(error)) from None
        if status in (404, 410):
            raise MissingError(f"HTTP status {status}")
        if status != 200:
            raise AnswerError(f"HTTP status {status}")
        if not is_picture(data):
            raise AnswerError("something other than a picture", is_passing=True)
        return data

    async def _persistently(self, ask: Callable[..., Awaitable[bytes]], *arguments: Any) -> bytes:
        attempts = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS), reraise=True,
            wait=wait_exponential(BACK_OFF, MAX_BACK_OFF) + wait_random(0, BACK_OFF),
            retry=retry_if_exception(lambda error: isinstance(error, AnswerError) and error.is_passing))
        return await attempts(ask, *arguments)

    async def _get(self, url: str, most: int, **how: Any) -> tuple[int, bytes]:
        """The status and the body of one answer, which is read to its end only where it is 200."""
        await self._turn()
        try:
            async with self._session.get(url, allow_redirects=False, **how) as response:
                if response.status in (429, 503):
                    self._heed(response.headers.get("Retry-After", ""))
                if response.status in (408, 429) or response.status >= 500:
                    raise AnswerError(f"HTTP status {response.status}", is_passing=True)
                body = bytearray()
                if response.status == 200:
                    async for part in response.content.iter_any():
                        body += part
                        if len(body) > most:
                            raise TooLargeError(f"more than {most:,} bytes")
                return response.status, bytes(body)
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            if is_of_machine(error):
                raise
            # Its own text may hold the key. ValueError: an address that cannot be one, such as with an empty part of a name.
            raise AnswerError(describe(error), is_passing=not isinstance(error, ValueError)) from None

    async def _turn(self) -> None:
        """Waits until another request may be made."""
        await self._limiter.acquire()
        while (left := self._resume - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
            await self._limiter.acquire()

    def _heed(self, retry_after: str) -> None:
        """Lets all requests wait for as long as a server asks: seconds, or a date."""
        seconds = float(retry_after) if re.fullmatch(r"[0-9]{1,9}", retry_after) else 0.0
        with contextlib.suppress(ValueError, OverflowError):  # no date, or one that no calendar has
            date = email.utils.parsedate_to_datetime(retry_after)
            seconds = (date - datetime.datetime.now(date.tzinfo)).total_seconds()
        if seconds > MAX_PAUSE:
            raise UserError(f"{self.host} asks to be left alone for {seconds:,.0f} seconds.", Remedy.GO_ON)
        self._resume = max(self._resume, asyncio.get_running_loop().time() + seconds)


def _parts(url: str) -> SplitResult:
    """Those of an address that a key may be sent to; `SettingError` where it is none, without it: it may hold a password."""
    with contextlib.suppress(ValueError):  # brackets of no IPv6 address, a port that is no number, an empty part of a name
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        is_private = parts.scheme == "https" or parts.scheme == "http" and parts.hostname in LOCAL
        if is_private and parts.hostname and parts.port != 0 and not ("@" in parts.netloc or parts.query or parts.fragment):
            return parts
    raise SettingError("url", "an address that starts with https://, or of this machine", "another one")
