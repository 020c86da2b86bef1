"""Files, notebooks and folders; what cannot be read is named with its place, and the rest is checked all the same."""

from __future__ import annotations

import json

import pytest

from traindx.check import check
from traindx.records import InputError

BROKEN = "import torch\n\nmodel.eval\n"


def notebook(*cells):
    written = [{"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)} for kind, source in cells]
    return json.dumps({"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def places(checked):
    return [v.place for v in checked.violations]


def test_a_file_and_its_place(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(BROKEN)
    assert places(check([path])) == [f"{path}:3:1"]


def test_a_folder_stands_for_the_scripts_in_it(tmp_path):
    for name in ("a.py", "inner/b.py", "inner/.hidden/c.py", "venv/lib/d.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(BROKEN)
    checked = check([tmp_path, tmp_path / "a.py"])
    assert places(checked) == [f"{tmp_path}/a.py:3:1", f"{tmp_path}/inner/b.py:3:1"]
    assert checked.scripts == 2


def test_a_notebook_is_read_by_its_code_cells(tmp_path):
    path = tmp_path / "train.ipynb"
    cells = [
        ("markdown", "# model.eval"),
        ("code", "%matplotlib inline\n!pip install torch\nimport torch"),
        ("code", "%%bash\nrm -r nothing"),
        ("code", "%%time\nfiles = !ls\nprint('%d'\n  % 3)\nmodel.eval\ntorch.nn?"),
    ]
    path.write_text(notebook(*cells))
    (violation,) = check([path]).violations
    assert (violation.cell, violation.line, violation.column) == (3, 5, 1)
    assert violation.place == f"{path}:cell 3:5:1"


def test_cells_see_one_another(tmp_path):
    path = tmp_path / "train.ipynb"
    setup = "import torch\nfrom torch import nn\nmodel = nn.Linear(2, 1)\noptimizer = torch.optim.SGD(model.parameters(), lr=1)"
    loop = "for x, y in loader:\n    (model(x) - y).square().mean().backward()\n    optimizer.step()"
    path.write_text(notebook(("code", setup), ("code", loop)))
    assert [(v.cell, v.line, v.code) for v in check([path], ignore=["seeds-never-set"]).violations] == [(2, 3, "TDX101")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("two.py", b"x = 1\nprint 'x'\n", "two.py, line 2: Missing parentheses"),
        ("latin.py", "# é\n".encode("latin-1"), "latin.py is not text as Python reads it"),
        ("odd.py", b"# -*- coding: no-such-encoding -*-\n", "odd.py is not text as Python reads it"),
        ("null.py", b"x = 1\0", "null.py"),
        ("old.ipynb", b'{"worksheets": []}', "old.ipynb is no notebook of format 4"),
        ("broken.ipynb", notebook(("code", "x = 1"), ("code", "y = (")).encode(), "broken.ipynb, cell 2, line 1: '(' was never closed"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_checked(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "train.py").write_text(BROKEN)
    checked = check([tmp_path])
    assert places(checked) == [f"{tmp_path}/train.py:3:1"]
    assert checked.scripts == 1
    (reason,) = checked.unreadable
    assert message in reason


def test_a_declared_encoding_a_mark_of_byte_order_and_other_line_ends_are_read(tmp_path):
    (tmp_path / "a.py").write_bytes("# -*- coding: latin-1 -*-\n# é\nmodel.eval\n".encode("latin-1"))
    (tmp_path / "b.py").write_bytes("\ufeff# é\r\n\r\nmodel.eval\r\n".encode())
    assert places(check([tmp_path])) == [f"{tmp_path}/a.py:3:1", f"{tmp_path}/b.py:3:1"]


@pytest.mark.parametrize(
    ("name", "message"), [("missing.py", "no file"), ("data.csv", "ends in .csv"), ("empty", "no .py or .ipynb file in the folder")]
)
def test_what_is_no_script_is_an_error(tmp_path, name, message):
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        check([tmp_path / name])


def test_nothing_of_the_script_is_run(tmp_path):
    (tmp_path / "train.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\nimport no_such_module\n")
    assert check([tmp_path]).violations == ()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "code", ["x = " + "(" * 500 + "1" + ")" * 500, "x = " + " + ".join(["y"] * 900), "x = " + " + ".join(["y"] * 5000)]
)
def test_code_nested_too_deep_is_named_and_the_rest_is_checked(tmp_path, code):
    (tmp_path / "deep.py").write_text(code)
    (tmp_path / "train.py").write_text(BROKEN)
    checked = check([tmp_path])
    assert len(checked.unreadable) == 1
    assert places(checked) == [f"{tmp_path}/train.py:3:1"]
