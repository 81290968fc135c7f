"""A TMDB of this machine, for tests: answers as TMDB documents its API, version 3, with troubles where they are asked for.

Its films are synthetic, and the same for the same count and seed. To serve them until it is ended:

    python tests/tmdb_server.py --films 60000 --port 8800 --log requests.txt

Point `TMDB_URL` to http://127.0.0.1:8800/3; any key but `WRONG` is taken. The log has a line for each request: the time in
seconds, and the path with its query, without the key.
"""

import argparse
import asyncio
import bisect
import colorsys
import contextlib
import datetime
import io
import itertools
import random
import threading
import time

from aiohttp import web
from PIL import Image, ImageDraw

PAGE, MOST_PAGES = 20, 500
WRONG = "0123456789-is-wrong"
# TMDB's genres: number, share of films, words of its overviews. The shares are skewed as those of films are.
GENRES = {
    "Drama": (18, 0.43, "family grief letter memory village divorce"),
    "Comedy": (35, 0.29, "wedding prank roommate party bet holiday"),
    "Thriller": (53, 0.14, "hostage conspiracy secret chase blackmail agent"),
    "Romance": (10749, 0.13, "love kiss bride poem heart affair"),
    "Action": (28, 0.13, "bomb convoy explosion missile mercenary fight"),
    "Horror": (27, 0.12, "ghost demon curse blood asylum nightmare"),
    "Documentary": (99, 0.10, "archive interview footage portrait climate filmmaker"),
    "Crime": (80, 0.10, "detective murder gangster robbery prison cartel"),
    "Adventure": (12, 0.07, "treasure island expedition jungle map voyage"),
    "Family": (10751, 0.06, "puppy school christmas grandmother zoo toy"),
    "Science Fiction": (878, 0.05, "planet robot spaceship clone galaxy android"),
    "Animation": (16, 0.05, "cartoon rabbit magic hero drawing pirate"),
    "Fantasy": (14, 0.05, "dragon wizard sword prophecy elf throne"),
    "Mystery": (9648, 0.05, "clue disappearance riddle mansion alibi stranger"),
    "Music": (10402, 0.04, "band concert singer guitar tour orchestra"),
    "History": (36, 0.03, "emperor revolution treaty century king colony"),
    "TV Movie": (10770, 0.03, "television bakery mayor hometown inn deadline"),
    "War": (10752, 0.03, "soldier battle trench regiment front general"),
    "Western": (37, 0.02, "sheriff outlaw saloon ranch cattle horse"),
}
SHARED = "night city house friend plan road winter story brother town door name voice year life truth".split()
LANGUAGES = ["en"] * 12 + ["fr", "fr", "ja", "de", "es", "it", "hi", "ko"]


def films(count, seed=0):
    """`count` films as `/discover/movie` has them, by date; some have no genre, overview, poster or date."""
    rng = random.Random(seed)
    made = [_film(number, rng) for number in rng.sample(range(100, 100 + 12 * count), count)]
    return sorted(made, key=lambda film: (film["release_date"], film["id"]))


def _film(number, rng):
    names = [name for name, (_, share, _) in GENRES.items() if rng.random() < share]
    if not names and rng.random() < 0.9:
        names = ["Drama"]
    words = [word for name in names for word in GENRES[name][2].split()]
    sentence = " ".join(rng.choice(words if words and rng.random() < 0.5 else SHARED) for _ in range(rng.randint(8, 40)))
    year = 2025 - int(75 * rng.random() ** 1.7)  # more films in later years
    day = datetime.date(year, 1, 1) + datetime.timedelta(rng.randrange(365) if rng.random() < 0.95 else 0)
    votes, stem = int(rng.paretovariate(0.7)) - 1, f"{rng.getrandbits(96):024x}"
    return {"adult": False, "backdrop_path": None, "genre_ids": [GENRES[name][0] for name in names], "id": number,
            "original_language": rng.choice(LANGUAGES), "original_title": f"Film {number}",
            "overview": f"The {sentence}." if rng.random() > 0.04 else "", "popularity": round(votes ** 0.5, 3),
            "poster_path": f"/{stem}.jpg" if rng.random() > 0.05 else None,
            "release_date": day.isoformat() if rng.random() > 0.01 else "", "title": f"Film {number}", "video": False,
            "vote_average": round(rng.uniform(3, 9), 1), "vote_count": min(votes, 30_000)}


def poster(genre, width, stem):
    """The JPEG of a poster, which shows a genre (its number; 0: none) as a colour and bars, `stem` as where these are."""
    place = sorted([0] + [number for number, *_ in GENRES.values()]).index(genre)
    color = tuple(int(255 * part) for part in colorsys.hsv_to_rgb(place / 20, 0.7, 0.8))
    picture = Image.new("RGB", (width, width * 3 // 2), color)
    rng = random.Random(stem)
    for _ in range(place % 5 + 1):
        left, top = rng.randrange(width), rng.randrange(width)
        ImageDraw.Draw(picture).rectangle((left, top, left + width // 3, top + width // 5), fill="white")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60)
    return file.getvalue()


class Tmdb:
    """Serves films at `url` (the images at a port of their own), from a thread, while it is entered.

    `trouble(path, times)` may name a trouble of the request of a path with its query, which was asked for `times` times now:
    an HTTP status; `cut`, `slow`, `html`, `redirect`, `huge` or `echo`; or a function that changes the answer's object.
    `requests` are (time, path with query but without the key); `strangers`, what was asked for with a key that belongs
    elsewhere.
    """

    def __init__(self, served, trouble=lambda path, times: None, port=0, log=None, retry_after="1"):
        self.films = [film for film in served if film["release_date"]]
        self.dates = [film["release_date"] for film in self.films]
        self.genre_of = {film["poster_path"]: (film["genre_ids"] or [0])[0] for film in served if film["poster_path"]}
        self.trouble, self.port, self.log, self.retry_after = trouble, port, log, retry_after
        self.requests, self.strangers, self.times = [], [], {}

    def __enter__(self):
        self._loop, started = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self.serve(started)), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def serve(self, started):
        self._end = asyncio.Event()
        async with contextlib.AsyncExitStack() as open_sites:
            for name, handler, port in [("images", self._image, 0), ("api", self._api, self.port)]:
                app = web.Application()
                app.router.add_get("/{path:.*}", handler)
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
                await runner.setup()
                open_sites.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
                setattr(self, f"{name}_port", runner.addresses[0][1])
            self.url, self.images = (f"http://127.0.0.1:{self.api_port}/3", f"http://127.0.0.1:{self.images_port}/t/p/")
            started.set()
            await self._end.wait()

    def most_in_a_second(self):
        """The most requests that came within any second; those under way may meet where this process has to wait."""
        times = [when for when, _ in self.requests]
        return max((count - bisect.bisect_right(times, when - 1) for count, when in enumerate(times, start=1)), default=0)

    def _record(self, request):
        query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "api_key")
        path = request.path + (f"?{query}" if query else "")
        self.requests.append((time.monotonic(), path))
        self.times[path] = self.times.get(path, 0) + 1
        if self.log:
            print(f"{self.requests[-1][0]:.4f} {path}", file=self.log, flush=True)
        return path, self.trouble(path, self.times[path])

    async def _image(self, request):
        path, trouble = self._record(request)
        if "api_key" in request.query or "Authorization" in request.headers:
            self.strangers.append(path)
        size, stem = request.path.split("/")[-2:]
        if isinstance(trouble, (int, str)):
            return await self._troubled(request, trouble)
        if f"/{stem}" not in self.genre_of:
            return web.Response(status=404, text="<h1>File not Found</h1>", content_type="text/html")
        width = int(size[1:]) if size[1:].isdigit() else 500
        return web.Response(body=poster(self.genre_of[f"/{stem}"], width, stem), content_type="image/jpeg")

    async def _api(self, request):
        path, trouble = self._record(request)
        key = request.query.get("api_key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not key or key == WRONG:
            return web.json_response({"status_code": 7, "success": False, "status_message": "Invalid API key."}, status=401)
        if isinstance(trouble, (int, str)):
            return await self._troubled(request, trouble, key)
        answer = {"/3/configuration": self._configuration, "/3/genre/movie/list": self._genres,
                  "/3/discover/movie": self._discover}.get(request.path, lambda query: None)(request.query)
        if answer is None:
            return web.json_response({"success": False, "status_code": 34, "status_message": "Not found."}, status=404)
        if "success" in answer:
            return web.json_response(answer, status=400)
        return web.json_response(trouble(answer) if trouble else answer)

    async def _troubled(self, request, trouble, key=""):
        if isinstance(trouble, int):
            return web.json_response({"status_code": 25, "status_message": "trouble"}, status=trouble,
                                     headers={"Retry-After": self.retry_after} if trouble in (429, 503) else {})
        if trouble == "html":
            return web.Response(text="<html><body>Sign in to this network</body></html>", content_type="text/html")
        if trouble == "echo":
            return web.json_response({"page": 1, "results": [], "total_pages": 1, "total_results": 0, "you_sent": key})
        if trouble == "redirect":
            raise web.HTTPFound(f"http://127.0.0.1:{self.images_port}/elsewhere?{request.query_string}")
        if trouble == "slow":
            await asyncio.sleep(60)
        response = web.StreamResponse(headers={} if trouble == "huge" else {"Content-Length": "100000"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(400 if trouble == "huge" else 1):
                await response.write(b" " * 100_000 if trouble == "huge" else b'{"page": 1, "results": [')
        request.transport.abort()
        return response

    def _configuration(self, query):
        return {"images": {"base_url": self.images, "secure_base_url": self.images, "backdrop_sizes": ["w300"],
                           "poster_sizes": ["w92", "w154", "w185", "w342", "w500", "w780", "original"]}, "change_keys": []}

    def _genres(self, query):
        return {"genres": [{"id": number, "name": name} for name, (number, *_) in GENRES.items()]}

    def _discover(self, query):
        page = int(query.get("page", 1))
        if not 1 <= page <= MOST_PAGES:
            return {"success": False, "status_code": 22, "status_message": "Invalid page: Pages start at 1 and max at 500."}
        start = bisect.bisect_left(self.dates, query.get("primary_release_date.gte", ""))
        end = bisect.bisect_right(self.dates, query.get("primary_release_date.lte", "9999"))
        genres = {int(number) for number in query.get("with_genres", "").split("|") if number}
        votes, language = int(query.get("vote_count.gte", 0)), query.get("with_original_language")
        found = [film for film in itertools.islice(self.films, start, end) if film["vote_count"] >= votes
                 and (not genres or genres & set(film["genre_ids"])) and language in (None, film["original_language"])]
        return {"page": page, "results": found[(page - 1) * PAGE:page * PAGE], "total_pages": -(-len(found) // PAGE),
                "total_results": len(found)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--log", type=argparse.FileType("a"))
    options = parser.parse_args()
    with Tmdb(films(options.films, options.seed), port=options.port, log=options.log) as server:
        print(f"{server.url}: {len(server.films):,} films with a date", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
