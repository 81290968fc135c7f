"""Draws the synthetic demo films: `python -m demo.generate --out data`.

No film here exists. Each has one to three genres. Its poster and its overview show some of them, each with gaps and noise
of its own, so that both together tell more than either, and neither tells all. A few films have no poster, no overview, a
damaged poster or another film's overview, as in real data.
"""

import dataclasses
import math
import random
from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from movie_genres.base.files import StrPath
from movie_genres.data.films import Film, write_films
from movie_genres.data.importing import write_marker

FILMS = 640
SEED = 20
WIDTH, HEIGHT = 80, 120
SHOWN_ON_POSTER = 0.6  # how often a poster's palette, motif or lettering follows a genre of the film
WORD_OF_GENRE = 0.52  # how often a slot of the overview takes a word of one of the film's genres
WORD_OF_OTHER = 0.1  # … or misleads, with a word of any genre; else it takes a shared word

# Genre: share of films, background hue (degrees), lightness, motif, lettering, and the words that it likes.
GENRES = {
    "Drama": (0.46, 30, 0.35, "figure", "lower", "family grief letter hospital memory father silence village debt promise "
              "mother illness teacher divorce funeral choice"),
    "Comedy": (0.36, 50, 0.75, "circles", "bounce", "wedding prank roommate mistake party uncle bet dog disguise diet "
               "neighbour holiday chaos parrot cousin karaoke"),
    "Action": (0.24, 10, 0.45, "burst", "upper", "bomb hostage convoy agent explosion mercenary chase missile train "
               "terrorist helicopter ambush bodyguard heist weapon bullet"),
    "Romance": (0.22, 340, 0.70, "heart", "lower", "love kiss stranger summer paris dance engagement heart florist bride "
                "affair longing ballroom poem moonlight valentine"),
    "Horror": (0.16, 0, 0.12, "fangs", "drip", "ghost demon cellar scream curse blood asylum ritual doll corpse nightmare "
               "haunted graveyard possession knife shadow"),
    "Sci-Fi": (0.14, 200, 0.25, "planet", "wide", "planet robot spaceship clone android laboratory colony portal galaxy "
               "experiment satellite virus mutant hologram orbit computer"),
    "Western": (0.08, 35, 0.55, "cactus", "upper", "sheriff outlaw saloon ranch cattle gunslinger stagecoach bounty desert "
                "horse rustler marshal railroad canyon gold deputy"),
    "Fantasy": (0.12, 280, 0.40, "stars", "wide", "dragon wizard kingdom sword prophecy elf throne spell quest witch "
                "crown enchanted sorcerer unicorn amulet goblin"),
    "Crime": (0.20, 220, 0.18, "bars", "upper", "detective murder gangster witness robbery police boss prison bribe "
              "evidence cartel informant verdict suspect lawyer alibi"),
}
TOGETHER = [("Comedy", "Romance"), ("Action", "Crime"), ("Horror", "Sci-Fi"), ("Drama", "Romance"), ("Drama", "Crime"),
            ("Action", "Western"), ("Fantasy", "Action"), ("Comedy", "Drama")]
SHARED = ("year night city house secret past truth friend plan home road morning winter story life night brother sister "
          "town world journey stranger game money car island river door name voice").split()
NAMES = ("Ada Boris Carla Dmitri Elena Farid Greta Hugo Ines Jonas Keiko Luca Mara Nadir Olga Pablo Rosa Sven Tara "
         "Viktor").split()
TRAITS = "young retired lonely stubborn famous reluctant gifted forgotten restless honest".split()
SENTENCES = [
    "A {trait} {word} must face the {word} when {name} returns with a {word}.",
    "{name} and {name} find a {word} that leads them to the {word} of the {word}.",
    "When the {word} disappears, {name} has one {word} to save the {word}.",
    "After years of {word}, a {trait} {word} meets {name}, and the {word} begins.",
    "In a small {word}, {name} hides a {word} from the {word}.",
    "{name} never believed in the {word}, until a {word} came with the {word}.",
    "What starts as a {word} ends with a {word}, and only {name} knows the {word}.",
    "The {word} of a {trait} {word} changes the {word} forever.",
]


def make_film(number: int, rng: random.Random) -> Film:
    """One `Film` with genres, title and overview."""
    genres = _genres(rng)
    words = {genre: GENRES[genre][5].split() for genre in GENRES}

    def word() -> str:
        draw = rng.random()
        if draw < WORD_OF_GENRE:
            return rng.choice(words[rng.choice(genres)])
        if draw < WORD_OF_GENRE + WORD_OF_OTHER:
            return rng.choice(words[rng.choice(list(GENRES))])
        return rng.choice(SHARED)

    def sentence() -> str:
        text = rng.choice(SENTENCES)
        for slot, draw in (("{word}", word), ("{name}", lambda: rng.choice(NAMES)), ("{trait}", lambda: rng.choice(TRAITS))):
            while slot in text:
                text = text.replace(slot, draw(), 1)
        return text

    overview = " ".join(sentence() for _ in range(rng.choice((1, 1, 2))))
    title = f"The {rng.choice(TRAITS).title()} {word().title()}"
    return Film(f"demo{number:04d}", title, str(rng.randint(1950, 2024)), overview, tuple(sorted(genres)))


def _genres(rng: random.Random) -> list[str]:
    weights = [share for share, *_ in GENRES.values()]
    genres = {rng.choices(list(GENRES), weights)[0]}
    for _ in range(rng.choices((0, 1, 2), (0.35, 0.45, 0.2))[0]):
        partners = [other for pair in TOGETHER for other in pair if genres & set(pair) and other not in genres]
        genres.add(rng.choice(partners) if partners and rng.random() < 0.6 else rng.choices(list(GENRES), weights)[0])
    return sorted(genres)


def draw_poster(film: Film, rng: random.Random) -> Image.Image:
    """The poster of a film, in RGB; palette, motif and lettering each follow one of its genres, or none."""
    def shown() -> str:
        return rng.choice(film.genres if rng.random() < SHOWN_ON_POSTER else list(GENRES))

    _, hue, lightness, *_ = GENRES[shown()]
    hue, lightness = hue + rng.gauss(0, 14), min(max(lightness + rng.gauss(0, 0.08), 0.05), 0.9)
    image = _background(hue, lightness, rng)
    ink = _color(hue + rng.choice((150, 180, 210)), 0.9 if lightness < 0.5 else 0.2)
    for _ in range(rng.randint(1, 2)):
        _draw_motif(ImageDraw.Draw(image), GENRES[shown()][3], ink, rng)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.8)))
    _draw_title(image, film.title, GENRES[shown()][4], ink, rng)
    return image


def _color(hue: float, lightness: float, saturation: float = 0.6) -> str:
    return f"hsl({hue % 360:.0f}, {100 * saturation:.0f}%, {100 * lightness:.0f}%)"


def _background(hue: float, lightness: float, rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    fade = rng.uniform(-0.15, 0.15)
    for line in range(HEIGHT):
        draw.line((0, line, WIDTH, line), fill=_color(hue, min(max(lightness + fade * line / HEIGHT, 0.03), 0.95)))
    return image


def _draw_motif(draw: ImageDraw.ImageDraw, motif: str, ink: str, rng: random.Random) -> None:
    x, y, size = rng.uniform(20, 60), rng.uniform(25, 75), rng.uniform(10, 20)
    if motif == "circles":
        for _ in range(5):
            cx, cy, radius = rng.uniform(5, 75), rng.uniform(5, 90), rng.uniform(3, 8)
            draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=ink)
    elif motif == "burst":
        points = [(x + math.cos(k * math.pi / 9) * size * (1.3 if k % 2 else 0.5),
                   y + math.sin(k * math.pi / 9) * size * (1.3 if k % 2 else 0.5)) for k in range(18)]
        draw.polygon(points, fill=ink)
    elif motif == "heart":
        draw.ellipse((x - size, y - size, x, y), fill=ink)
        draw.ellipse((x, y - size, x + size, y), fill=ink)
        draw.polygon([(x - size, y - size * 0.4), (x + size, y - size * 0.4), (x, y + size)], fill=ink)
    elif motif == "fangs":
        for k in range(4):
            left = x - size * 1.5 + k * size * 0.75
            draw.polygon([(left, y - size), (left + size * 0.7, y - size), (left + size * 0.35, y + size)], fill=ink)
    elif motif == "planet":
        draw.ellipse((x - size, y - size, x + size, y + size), fill=ink)
        draw.arc((x - size * 1.7, y - size * 0.5, x + size * 1.7, y + size * 0.5), 0, 360, fill=ink, width=3)
    elif motif == "cactus":
        draw.rectangle((x - size * 0.2, y - size, x + size * 0.2, y + size), fill=ink)
        draw.line([(x - size * 0.8, y - size * 0.4), (x - size * 0.8, y + 2), (x + size * 0.8, y + 2),
                   (x + size * 0.8, y - size * 0.6)], fill=ink, width=4)
    elif motif == "stars":
        for _ in range(9):
            cx, cy = rng.uniform(5, 75), rng.uniform(5, 90)
            draw.line((cx - 4, cy, cx + 4, cy), fill=ink)
            draw.line((cx, cy - 4, cx, cy + 4), fill=ink)
    elif motif == "bars":
        for k in range(5):
            draw.rectangle((x - size * 1.5 + k * size * 0.7, 8, x - size * 1.5 + k * size * 0.7 + 4, 92), fill=ink)
    else:
        draw.ellipse((x - size * 0.4, y - size, x + size * 0.4, y - size * 0.2), fill=ink)
        draw.pieslice((x - size, y - size * 0.2, x + size, y + size * 2), 180, 360, fill=ink)


def _draw_title(image: Image.Image, title: str, lettering: str, ink: str, rng: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    text = title.upper() if lettering in ("upper", "drip") else title.lower() if lettering == "lower" else title
    font = ImageFont.load_default(8 if lettering == "wide" else 10)
    first, second, *rest = text.split()
    for top, line in ((94, f"{first} {second}"), (106, " ".join(rest))):
        left = 4
        for letter in line:
            lift = rng.uniform(-3, 3) if lettering == "bounce" else 0
            draw.text((left, top + lift), letter, fill=ink, font=font)
            if lettering == "drip" and rng.random() < 0.3:
                draw.line((left + 2, top + 9, left + 2, top + rng.uniform(10, 16)), fill=ink)
            left += draw.textlength(letter, font=font) + (2 if lettering == "wide" else 0)


def make_films(count: int, seed: int) -> list[tuple[Film, Image.Image | None]]:
    """Films with their posters, a few of them without one or without an overview."""
    rng = random.Random(seed)
    made: list[tuple[Film, Image.Image | None]] = []
    for number in range(count):
        film = make_film(number, rng)
        made.append((film, draw_poster(film, rng)))
    for number in rng.sample(range(count), 12):  # gaps as in real data
        film, poster = made[number]
        made[number] = (film, None) if number % 2 else (dataclasses.replace(film, overview=""), poster)
    first, second = rng.sample([number for number, (film, _) in enumerate(made) if film.overview], 2)
    film, poster = made[second]
    made[second] = (dataclasses.replace(film, overview=made[first][0].overview), poster)
    return made


def write_demo(out: StrPath, count: int = FILMS, seed: int = SEED) -> None:
    """Writes the films as a canonical data folder; one poster in 300 is cut off half-way, as a broken download is."""
    out = Path(out)
    (out / "posters").mkdir(parents=True)
    made = make_films(count, seed)
    write_films(out / "films.csv", [film for film, _ in made])
    for number, (film, poster) in enumerate(made):
        if poster is None:
            continue
        path = out / "posters" / f"{film.id}.jpg"
        poster.save(path, quality=70)
        if number % 300 == 299:
            path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    write_marker(out)  # so that an import may put real films in the place of these


@click.command(help=__doc__.split("\n")[0])
@click.option("--out", type=click.Path(exists=False, path_type=Path), default="data", show_default=True,
              help="The data folder to make; it must not exist.")
def main(out: Path) -> None:
    write_demo(out)


if __name__ == "__main__":
    main()
