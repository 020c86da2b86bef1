"""The real data sets of the benches, as arrays. They lie beside the project; see `find`."""

from __future__ import annotations

import csv
import gzip
import io
import os
import tarfile
import wave
from pathlib import Path

import numpy as np

HOME = Path(os.environ.get("TRAINDX_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def find(name: str) -> Path:
    """The folder of one set; FileNotFoundError when it is not there."""
    folder = HOME / name
    if not folder.is_dir():
        raise FileNotFoundError(f"{name} is not in the data folder: set TRAINDX_DATA")
    return folder


def _idx(path: Path, offset: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes())[offset:], np.uint8)


def mnist(name: str = "mnist", rows: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """(N, 784) pixels in 0..1 and labels; ``name`` may be fashion-mnist."""
    folder = find(name)
    x = _idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:rows]
    return x.astype(np.float32) / 255, _idx(folder / "train-labels-idx1-ubyte.gz", 8)[:rows].astype(np.int64)


def cifar(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3072) pixels in 0..1 and labels."""
    data = np.frombuffer(gzip.decompress((find("cifar10-jpg") / "train_8000.bin.gz").read_bytes()), np.uint8).reshape(-1, 3073)[:rows]
    return data[:, 1:].astype(np.float32) / 255, data[:, 0].astype(np.int64)


def gas(batches: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 128) sensor features and gas names as 0..5."""
    gases = ["Acetaldehyde", "Acetone", "Ammonia", "Ethanol", "Ethylene", "Toluene"]
    rows = [
        line.strip().split(",") for b in batches for line in (find("gas-drift") / f"batch{b}.dat").read_text().splitlines() if line.strip()
    ]
    names = sorted({row[0] for row in rows} | set(gases))
    codes = {name: i for i, name in enumerate(n for n in names if any(n == r[0] for r in rows))}
    return np.array([row[2:] for row in rows], dtype=np.float32), np.array([codes[row[0]] for row in rows])


def gas_split() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Batch 1 and batches 2 to 9, with one coding of the gases."""
    x, y = gas((1, 2, 3, 4, 5, 6, 8, 9))
    return (x[:445], y[:445]), (x[445:], y[445:])


def _recordings() -> list[tuple[str, int, np.ndarray]]:
    """Speaker, digit and log-spectra (16 x 32) of every recording, in the order of their files."""
    found = []
    with tarfile.open(find("spoken-digits") / "recordings.tar.gz") as archive:
        for member in sorted((m for m in archive if m.name.endswith(".wav")), key=lambda m: m.name):
            digit, speaker, _ = Path(member.name).stem.split("_")
            file = archive.extractfile(member)
            assert file is not None
            with wave.open(io.BytesIO(file.read())) as sound:
                signal = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32)
            found.append((speaker, int(digit), _spectrum(signal)))
    return found


def spoken(left_out: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Log-spectra (N, 16 x 32) of spoken digits: all speakers but one, and that one."""
    sides = [[(x, digit) for speaker, digit, x in _recordings() if (speaker == left_out) is theirs] for theirs in (False, True)]
    mine, theirs = ((np.stack([x for x, _ in side]), np.array([digit for _, digit in side])) for side in sides)
    return mine, theirs


def spoken_by() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-spectra (N, 1, 16, 32) of spoken digits, the digits, and the speakers' names."""
    speakers, digits, spectra = zip(*_recordings(), strict=True)
    return np.stack(spectra).reshape(-1, 1, 16, 32), np.array(digits), np.array(speakers)


def _spectrum(signal: np.ndarray, frames: int = 16, bands: int = 32) -> np.ndarray:
    starts = np.linspace(0, max(0, len(signal) - 256), frames).astype(int)
    padded = np.pad(signal, (0, max(0, 256 - len(signal))))
    windows = np.stack([padded[s : s + 256] for s in starts]) * np.hanning(256)
    power = np.abs(np.fft.rfft(windows))[:, :128].reshape(frames, bands, -1).mean(2)
    logs = np.log(power + 1)
    return ((logs - logs.mean()) / (logs.std() + 1e-6)).astype(np.float32).ravel()


def california() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 8) features, house value in 100,000 USD, and whether the district lies inland."""
    lines = (find("california-housing") / "housing.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines if ",," not in line]
    x = np.array([row[:8] for row in rows], dtype=np.float32)
    return x, np.array([row[8] for row in rows], dtype=np.float32) / 1e5, np.array([row[9] == "INLAND" for row in rows])


def wine(colour: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, 11) measures and the score."""
    lines = (find("wine-quality") / f"winequality-{colour}.csv").read_text().splitlines()
    data = np.array([line.split(",") for line in lines if line.strip()], dtype=np.float32)
    return data[:, :-1], data[:, -1]


def adult() -> tuple[np.ndarray, np.ndarray]:
    """(32561, F) numeric columns standardised and categories one-hot, and whether the income is above 50,000 USD."""
    lines = (find("adult") / "adult-train.csv").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.strip()]
    columns = list(zip(*rows, strict=True))
    parts = []
    for j in range(14):
        if j in (0, 2, 4, 10, 11, 12):
            values = np.array(columns[j], dtype=np.float32)
            parts.append(((values - values.mean()) / values.std())[:, None])
        else:
            names = sorted(set(columns[j]))
            parts.append((np.array(columns[j])[:, None] == np.array(names)[None]).astype(np.float32))
    return np.concatenate(parts, 1), np.array([cell == ">50K" for cell in columns[14]], dtype=np.int64)


def standardized(*arrays: np.ndarray) -> list[np.ndarray]:
    """Every array by the first one's mean and standard deviation."""
    mean, std = arrays[0].mean(0), arrays[0].std(0)
    return [((a - mean) / np.where(std > 0, std, 1)).astype(np.float32) for a in arrays]


def ecg200() -> tuple[np.ndarray, np.ndarray]:
    """(200, 96) heartbeats, both halves of the set together, and whether the beat is abnormal."""
    lines = [line for half in ("TRAIN", "TEST") for line in (find("ecg200") / f"ECG200_{half}.arff").read_text("utf-8").splitlines()]
    rows = np.array([line.split(",") for line in lines if line.strip() and line[0] not in "%@"], dtype=np.float32)
    return rows[:, :-1], (rows[:, -1] > 0).astype(np.int64)


def titanic() -> tuple[np.ndarray, np.ndarray]:
    """(891, 10) columns with ages filled in, and survival."""
    with (find("titanic") / "train.csv").open() as file:
        rows = list(csv.DictReader(file))
    age = float(np.median([float(row["Age"]) for row in rows if row["Age"]]))
    x = [
        [
            *(float(row["Pclass"] == c) for c in "123"),
            float(row["Sex"] == "male"),
            float(row["Age"] or age),
            float(row["SibSp"]),
            float(row["Parch"]),
            np.log1p(float(row["Fare"])),
            float(row["Embarked"] == "C"),
            float(row["Embarked"] == "Q"),
        ]
        for row in rows
    ]
    return np.array(x, dtype=np.float32), np.array([int(row["Survived"]) for row in rows])


def covid() -> tuple[np.ndarray, np.ndarray]:
    """(2700, 93) states and survey shares, and the share tested positive on the third day."""
    lines = (find("covid-hw1-2021") / "covid.train.csv").read_text().splitlines()[1:]
    rows = np.array([line.split(",") for line in lines], dtype=np.float32)
    return rows[:, 1:-1], rows[:, -1]


def covid_later() -> tuple[np.ndarray, np.ndarray]:
    """(2699, 116) states and survey shares of the later set, and the share tested positive on the last day."""
    lines = (find("covid-hw1-2022") / "covid.train.csv").read_text().splitlines()[1:]
    rows = np.array([line.split(",") for line in lines if line], dtype=np.float32)
    return rows[:, 1:-1], rows[:, -1]


def adult_columns() -> tuple[np.ndarray, np.ndarray, list[int], list[str]]:
    """(32561, 6) numbers, (32561, 7) codes of categories, how many each has, and the marital status."""
    lines = (find("adult") / "adult-train.csv").read_text().splitlines()
    columns = list(zip(*([cell.strip() for cell in line.split(",")] for line in lines if line.strip()), strict=True))
    numbers = np.array([columns[j] for j in (0, 2, 4, 10, 11, 12)], dtype=np.float32).T
    codes = [np.unique(np.array(columns[j]), return_inverse=True) for j in (1, 3, 6, 8, 9, 13, 14)]
    table = np.stack([index for _, index in codes], 1).astype(np.float32)
    return numbers, table, [len(names) for names, _ in codes], list(columns[5])


def california_districts() -> np.ndarray:
    """(N, 9) columns as they stand in the file, the house value last."""
    lines = (find("california-housing") / "housing.csv").read_text().splitlines()[1:]
    return np.array([line.split(",")[:9] for line in lines if ",," not in line], dtype=np.float32)


def speakers() -> tuple[np.ndarray, np.ndarray]:
    """Log-spectra (N, 16, 32) of spoken digits in the order of their files' speakers, and who speaks, 0..5."""
    names, _, spectra = zip(*sorted(_recordings(), key=lambda r: r[0]), strict=True)
    return np.stack(spectra).reshape(-1, 16, 32), np.unique(names, return_inverse=True)[1]


def patches(side: int = 8, step: int = 11) -> np.ndarray:
    """(N, side * side) grey levels in 0..1, cut out of two photographs that ship with scikit-learn."""
    from sklearn.datasets import load_sample_images

    cuts = []
    for image in load_sample_images().images:
        grey = image.astype(np.float32).mean(2) / 255
        for i in range(0, grey.shape[0] - side, step):
            cuts += [grey[i : i + side, j : j + side].ravel() for j in range(0, grey.shape[1] - side, step)]
    return np.stack(cuts)
