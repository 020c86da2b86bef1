"""Every form of a source becomes a task; what cannot be read is one clear line."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traindx import InputError, Outcome, Task, train
from traindx.tasks import Kind, read
from traindx.tasks.readers import EXAMPLES

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def table(rows: int = 40, header: bool = True) -> str:
    rng = np.random.default_rng(0)
    lines = [
        f"{rng.normal():.3f},{rng.choice(['red', 'blue'])},{rng.choice(['?', '1', '2'])},{'yes' if i % 2 else 'no'}" for i in range(rows)
    ]
    return "\n".join([*(["size,colour,grade,bought"] if header else []), *lines]) + "\n"


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(("header", "target"), [(True, "bought"), (True, None), (False, -1), (True, 3)])
def test_a_table_with_mixed_columns_and_missing_values(tmp_path: Path, header: bool, target: str | int | None) -> None:
    task, recipe = read(write(tmp_path / "t.csv", table(header=header)), target=target)
    assert task.kind is Kind.CLASSIFICATION and task.classes == 2 and len(task.train) == 32
    assert task.train.inputs is not None and bool(np.isfinite(task.train.inputs.numpy()).all())
    assert train(task, recipe.replace(epochs=1)).outcome is Outcome.FINISHED


def test_the_preprocessing_is_fitted_on_training_rows(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).normal(5, 3, 200)
    text = "a,y\n" + "\n".join(f"{v},{i % 2}" for i, v in enumerate(numbers))
    task, _ = read(write(tmp_path / "t.csv", text))
    assert task.train.inputs is not None
    assert abs(float(task.train.inputs[:, 0].mean())) < 1e-5 and abs(float(task.train.inputs[:, 0].std(correction=0)) - 1) < 1e-4


def test_a_number_is_predicted_in_its_units(tmp_path: Path) -> None:
    text = "a;y\n" + "\n".join(f"{i};{i * 1000 + 0.5}" for i in range(60))
    task, recipe = read(write(tmp_path / "t.csv", text))
    assert task.kind is Kind.REGRESSION
    assert train(task, recipe).last("validation_metric") < 10_000


def test_another_file_is_the_test_set(tmp_path: Path) -> None:
    test = write(tmp_path / "u.csv", table(20).replace("yes", "yes.").replace("no\n", "no.\n"))
    task, _ = read(write(tmp_path / "t.csv", table()), test=test)
    assert task.test is not None and task.test.has_labels and len(task.test) == 20
    unlabelled = write(tmp_path / "v.csv", "\n".join(line.rsplit(",", 1)[0] for line in table(20).splitlines()))
    task, _ = read(str(tmp_path / "t.csv"), test=unlabelled)
    assert task.test is not None and not task.test.has_labels


def test_arff_npz_idx_and_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal():.3f},'{'a b' if i % 2 else 'c'}'" for i in range(20)]
    arff = write(
        tmp_path / "t.arff", "% note\n@relation r\n@attribute 'x 1' numeric\n@attribute class {'a b',c}\n@data\n" + "\n".join(lines)
    )
    assert read(arff)[0].classes == 2
    np.savez(tmp_path / "t.npz", X=rng.normal(size=(30, 4)), y=np.arange(30) % 3)
    assert read(str(tmp_path / "t.npz"))[0].classes == 3
    pixels, labels = rng.integers(0, 255, (20, 12, 12)), np.arange(20) % 2
    for name, array in (("train-images-idx3-ubyte.gz", pixels), ("train-labels-idx1-ubyte.gz", labels)):
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / name).write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))
    assert read(str(tmp_path / "train-images-idx3-ubyte.gz"))[0].train.inputs is not None
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(pixels[i].astype(np.uint8)).save(tmp_path / "pets" / label / f"{i}.png")
    assert read(str(tmp_path / "pets"))[0].classes == 2


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    parquet.write_table(arrow.table({"a": list(range(40)), "b": ["x", None] * 20, "y": ["u", "v"] * 20}), tmp_path / "t.parquet")
    assert read(str(tmp_path / "t.parquet"))[0].classes == 2


def test_a_python_file(tmp_path: Path) -> None:
    code = "import numpy as np\nfrom torch import nn\nimport traindx as tdx\ndef net():\n    return nn.Linear(3, 2)\n"
    code += "def make():\n    return tdx.Task(net, nn.CrossEntropyLoss(), (np.random.rand(20, 3), np.arange(20) % 2)), tdx.Recipe(lr=0.5)\n"
    task, recipe = read(write(tmp_path / "mine_to_read.py", code) + ":make")
    assert isinstance(task, Task) and recipe.lr == 0.5
    with pytest.raises(InputError, match="line 2"):
        read(write(tmp_path / "broken_to_read.py", "x = 1\n1 / 0\n") + ":task")
    with pytest.raises(InputError, match="no 'other'"):
        read(str(tmp_path / "mine_to_read.py") + ":other")
    with pytest.raises(InputError, match=r"^SOURCE: model in network_to_read.py is Linear; define a Task"):
        read(write(tmp_path / "network_to_read.py", "from torch import nn\nmodel = nn.Linear(3, 2)\n") + ":model")


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples(name: str) -> None:
    task, _ = read(f"example:{name}")
    assert task.name == name and len(task.train) > 50


@pytest.mark.parametrize(
    ("name", "text", "options", "found"),
    [
        ("t.csv", "", {}, "empty"),
        ("t.csv", "a,b\n", {}, "rows"),
        ("t.csv", "a,b\n1,2\n3\n", {}, "line 3"),
        ("t.csv", table(), {"target": "price"}, "no column 'price'"),
        ("t.csv", table(), {"target": 9}, "no column 9"),
        ("t.csv", "a,y\n" + "1,same\n" * 20, {}, "single value"),
        ("t.csv", "a,y\n" + "1,x\n2,z\n", {}, "2 rows"),
        ("t.csv", "a,y\n" + "\n".join(f"1,name{i}" for i in range(30)), {}, "different texts"),
        ("t.arff", "@relation r\n", {}, "0 attributes"),
        ("t.parquet", "no parquet", {}, "not Parquet"),
        ("t.npz", "no archive", {}, "no archive"),
        ("t-images-idx3-ubyte", "no idx", {}, "no labels"),
        ("t.xyz", "what", {}, "unknown form"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, name: str, text: str, options: dict[str, str | int], found: str) -> None:
    with pytest.raises(InputError, match=found) as error:
        read(write(tmp_path / name, text), **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([f"2026-01-{1 + i % 28:02}" for i in range(60)], "column 'a' has 28 different texts, which become 28 inputs: drop it if"),
        ([f"{i},5" for i in range(60)], "column 'a' is read as text: for numbers, write 0,5 with a decimal point"),
        ([f"row {i}" for i in range(60)], "column 'a' is left out: its texts name rows"),
    ],
)
def test_texts_that_may_be_no_categories_are_said(tmp_path: Path, cells: list[str], said: str, caplog: pytest.LogCaptureFixture) -> None:
    text = "a;b;y\n" + "\n".join(f"{cell};{i};{i % 2}" for i, cell in enumerate(cells))
    read(write(tmp_path / "t.csv", text))
    assert caplog.messages[0].startswith(said)


def test_few_texts_are_categories(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(write(tmp_path / "t.csv", table()))
    assert not caplog.messages


def test_what_is_not_there(tmp_path: Path) -> None:
    for source in (str(tmp_path / "none.csv"), str(tmp_path / "none.npz"), "example:none", "none.py:task"):
        with pytest.raises(InputError):
            read(source)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_any_bytes_are_a_task_or_a_clear_refusal(tmp_path: Path, content: bytes) -> None:
    for ending in (".csv", ".arff", ".npz", ".bin"):
        path = tmp_path / f"any{ending}"
        path.write_bytes(content)
        try:
            read(str(path))
        except InputError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("files", "options", "classes"),
    [
        (("adult/adult-train.csv", "adult/adult-test.csv"), {}, 2),
        (("gas-drift/batch1.dat", "gas-drift/batch2.dat"), {"target": 0}, 6),
        (("titanic/train.csv", "titanic/test.csv"), {"target": "Survived"}, 2),
        (("ecg200/ECG200_TRAIN.arff", "ecg200/ECG200_TEST.arff"), {}, 2),
        (("california-housing/housing.csv", None), {"target": "median_house_value"}, None),
    ],
)
def test_real_sets(files: tuple[str, str | None], options: dict[str, str | int], classes: int | None) -> None:
    if not SHARED.is_dir():
        pytest.skip("no shared data sets")
    test = None if files[1] is None else str(SHARED / files[1])
    task, _ = read(str(SHARED / files[0]), test=test, **options)  # type: ignore[arg-type]
    assert task.classes == classes
