import os
import threading

import numpy as np
import pytest
from conftest import image_bytes, noise_bytes
from PIL import Image

from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import PosterError, decode_poster, read_poster

RED = (200, 40, 40)


@pytest.mark.parametrize("mode, format, options, expected", [
    ("RGB", "JPEG", {"quality": 95}, RED),
    ("RGB", "JPEG", {"quality": 95, "progressive": True}, RED),
    ("L", "JPEG", {}, (120, 120, 120)),
    ("CMYK", "JPEG", {"color": (0, 255, 255, 0), "quality": 95}, (255, 0, 0)),
    ("RGB", "PNG", {}, RED),
    ("L", "PNG", {}, (120, 120, 120)),
    ("1", "PNG", {}, (255, 255, 255)),
    ("RGBA", "PNG", {"color": (200, 40, 40, 0)}, (255, 255, 255)),
    ("RGBA", "PNG", {"color": (0, 0, 0, 51)}, (204, 204, 204)),
    ("LA", "PNG", {"color": (0, 0)}, (255, 255, 255)),
    ("P", "PNG", {"color": 0, "transparency": 0}, (255, 255, 255)),
    ("I;16", "PNG", {"color": 128 * 257}, (128, 128, 128)),
    ("RGB", "WEBP", {"lossless": True}, RED),
    ("RGB", "GIF", {}, RED),
    ("RGB", "BMP", {}, RED),
    ("RGB", "TIFF", {}, RED),
    ("RGB", "AVIF", {"quality": 95}, RED),
], ids=lambda value: str(value) if isinstance(value, str) else None)
def test_decodes_each_format_to_rgb(mode, format, options, expected):
    pixels = decode_poster(image_bytes(mode, format=format, **options), (6, 4))
    assert pixels.shape == (6, 4, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).max() <= 6


def test_takes_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    import io

    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert decode_poster(file.getvalue(), (2, 2))[0, 0].tolist() == [255, 0, 0]


def test_applies_exif_rotation():
    import io

    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 20, 20))  # red on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise: the left comes on top
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    pixels = decode_poster(file.getvalue(), (4, 2))
    assert pixels[0, 0].tolist() == [255, 0, 0] and pixels[-1, 0].tolist() == [0, 0, 255]


def test_reduced_decoding_of_a_large_jpeg_is_close_to_the_full_one():
    large = noise_bytes((1600, 2400))
    with Image.open(__import__("io").BytesIO(large)) as image:
        full = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR))
    assert np.abs(decode_poster(large, (64, 64)).astype(int) - full).mean() < 2


@pytest.mark.parametrize("data, kind", [
    (b"", "empty"),
    (b"<!DOCTYPE html><html>404</html>", "not_an_image"),
    (noise_bytes()[:2000], "corrupt"),
    (image_bytes(format="PNG")[:60], "corrupt"),
    (b"\xff\xd8\xff\xe0" + b"\0" * 50, "not_an_image"),
    (b"%PDF-1.4", "not_an_image"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
])
def test_names_what_is_wrong_with_bad_data(data, kind):
    with pytest.raises(PosterError) as error:
        decode_poster(data, (8, 8))
    assert error.value.kind == kind


def test_refuses_too_many_pixels_before_decoding():
    with pytest.raises(PosterError, match="20000x20000 pixels; at most 25,000,000 of a PNG"):
        decode_poster(image_bytes("1", (20_000, 20_000), "PNG"), (8, 8))


def test_refuses_too_many_bytes(tmp_path):
    (tmp_path / "a.jpg").write_bytes(noise_bytes())
    with pytest.raises(PosterError) as error:
        read_poster(tmp_path / "a.jpg", (8, 8), caps=Caps(bytes=100))
    assert error.value.kind == "too_large"


@pytest.mark.parametrize("name, kind", [("none.jpg", "missing"), ("folder", "not_a_file"), ("pipe", "not_a_file")])
def test_reads_regular_files_only(tmp_path, name, kind):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PosterError) as error:
        read_poster(tmp_path / name, (8, 8))
    assert error.value.kind == kind


def test_gives_the_same_pixels_in_threads():
    data, results = noise_bytes(), []
    threads = [threading.Thread(target=lambda: results.append(decode_poster(data, (64, 64)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, results[0]) for result in results)
