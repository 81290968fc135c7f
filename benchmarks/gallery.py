"""The site of 20,000 films: its size, the time its gallery takes to be there and to filter, and that of 5,000 thumbnails.

The films are made up; the posters are noise of the size of the demo's, or those of a folder.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

from movie_genres.reporting.films import Films, Said
from movie_genres.reporting.gallery import film_pages
from movie_genres.reporting.site import write_site
from movie_genres.reporting.thumbnails import write_thumbnails
from movie_genres.scoring.listing import list_posters

GENRES = ("Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama", "Family", "Fantasy",
          "History", "Horror", "Music", "Musical", "Mystery", "Romance", "Sci-Fi", "Sport", "Thriller", "War", "Western")
ACTS = (("genre", "Drama"), ("outcome", "wrong"), ("sort", "doubt"), ("split", "test"), ("q", "tt001"))
# Milliseconds from an act to the picture after it: of the next two frames, the first has begun before it.
PAINTED = """act => new Promise(done => {
    const started = performance.now();
    const control = act && document.querySelector(act[0]);
    if (control) {
        control.value = act[1];
        control.dispatchEvent(new Event("input", {bubbles: true}));
    }
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started)));
})"""


def made_up(count: int, seed: int = 0) -> Films:
    """Films with overviews of about 90 words, as long as those of real films."""
    random = np.random.default_rng(seed)
    words = np.array(["".join(random.choice(list("etaoinshrdlucmfwypvbgkjqxz"), length))
                      for length in random.integers(2, 10, 6000)])
    rates = np.linspace(0.02, 0.5, len(GENRES))
    frequencies = 1 / np.arange(1, len(words) + 1)
    overviews = [" ".join(random.choice(words, length, p=frequencies / frequencies.sum())).capitalize() + "."
                 for length in random.integers(40, 140, count)]
    said = [Said(name, kind, probabilities, probabilities > 0.4) for name, kind in
            (("answer", "both"), ("cnn", "poster"), ("lstm", "overview"))
            for probabilities in [random.beta(2 * rates, 2 * (1 - rates), (count, len(GENRES)))]]
    return Films(GENRES, [f"tt{number:07}" for number in range(count)], said, ["ok"] * count, ["both"] * count, overviews,
                 titles=[" ".join(random.choice(words, 3)).title() for _ in range(count)],
                 years=[str(year) for year in random.integers(1930, 2026, count)],
                 splits=random.choice(["train", "validation", "test"], count).tolist(),
                 truth=random.random((count, len(GENRES))) < rates)


def noise(folder: Path, count: int, seed: int = 0) -> None:
    """Posters of 300 x 450 pixels."""
    random = np.random.default_rng(seed)
    for number in range(count):
        pixels = random.integers(0, 255, (45, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((300, 450)).save(folder / f"{number}.jpg", quality=85)


def painted(tab: Tab, control: str | None = None, value: str = "") -> float:
    """Seconds until what a control changes is to be seen; without a control, until the next picture."""
    return tab.evaluate(PAINTED, control and [control, value]) / 1000


@click.command(help=__doc__.split("\n")[0])
@click.option("--films", type=int, default=20_000, show_default=True, help="Films of the site.")
@click.option("--posters", help="Folder with posters; by default noise.")
@click.option("--thumbnails", type=int, default=5_000, show_default=True, help="Posters, of noise or of the folder.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each view is shown.")
def main(films: int, posters: str | None, thumbnails: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, site = Path(place) / "posters", Path(place) / "site"
        folder.mkdir()
        if posters is None:
            noise(folder, thumbnails)
        found = [poster for _, poster in list_posters(posters or str(folder), 10**8)][:thumbnails]
        started = time.perf_counter()
        write_thumbnails(enumerate(found), len(found), Path(place))
        click.echo(f"thumbnails of {len(found):,} posters: {time.perf_counter() - started:.1f} s")
        synthetic = made_up(films)
        started = time.perf_counter()
        write_site(site, "Made up", lambda build: film_pages(synthetic, np.zeros(films, bool), build))
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        click.echo(f"site of {films:,} films: {time.perf_counter() - started:.1f} s, {size / 1e6:.2f} MB")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            seconds: dict[str, list[float]] = {}
            for _ in range(rounds):
                tab = browser.new_page()
                started = time.perf_counter()
                tab.goto(f"file://{site}/gallery.html#split=all")
                tab.wait_for_selector(".card")
                painted(tab)
                seconds.setdefault("first picture of the gallery", []).append(time.perf_counter() - started)
                for name, value in ACTS:
                    seconds.setdefault(f"{name}: {value}", []).append(painted(tab, f"[name={name}]", value))
                tab.close()
            browser.close()
        for name, times in seconds.items():
            shown = " ".join(f"{each:.2f}" for each in times)
            click.echo(f"{name:<30} median {statistics.median(times):.2f} s, all {shown}")


if __name__ == "__main__":
    main()
