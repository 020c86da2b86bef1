"""A folder with one sub-folder of images a class."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np

from traindx.records import InputError
from traindx.tasks.readers.base import Arrays

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
_log = logging.getLogger("traindx")


def read_images(folder: Path, argument: str) -> Arrays:
    """Images (N, C, H, W) as bytes; grey where all are, resized to the most common size where they differ (logged).

    Raises:
        InputError: when there are no images in sub-folders, fewer than two classes, or an image cannot be read.

    """
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    files = [(path, label) for label, entry in enumerate(classes) for path in sorted(entry.iterdir()) if path.suffix.lower() in ENDINGS]
    if len({label for _, label in files}) < 2:
        raise InputError(
            argument,
            f"{folder} has images of {len({label for _, label in files})} classes",
            "give a folder with a sub-folder of images for each class",
        )
    pictures = [_picture(path, argument) for path, _ in files]
    size = Counter(picture.size for picture in pictures).most_common(1)[0][0]
    others = sum(picture.size != size for picture in pictures)
    if others:
        _log.warning("%d of %d images are resized to %dx%d", others, len(pictures), *size)
    grey = all(picture.mode in ("L", "1", "I;16") for picture in pictures)
    arrays = [np.asarray(picture.convert("L" if grey else "RGB").resize(size)) for picture in pictures]
    stacked = np.stack([array[None] if grey else array.transpose(2, 0, 1) for array in arrays])
    return Arrays(stacked, np.array([label for _, label in files]), class_names=tuple(entry.name for entry in classes))


def _picture(path: Path, argument: str):  # type: ignore[no-untyped-def]
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.copy()
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(argument, f"{path} is no image that can be read ({error})", "take it out, or repair it") from None
