"""`traindx check`: exit status, streams and options; and what it loads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from traindx.cli import main

BROKEN = "import torch\nmodel.eval\n"
NOTED = """import torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1)
for x in loader:
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()
"""


@pytest.fixture
def script(tmp_path):
    def write(text, name="train.py"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(("text", "status"), [("x = 1\n", 0), (BROKEN, 3), (NOTED, 0), ("x = (\n", 2), (BROKEN + "x = (\n", 2)])
def test_exit_status(script, capsys, text, status):
    assert main(["check", script(text)]) == status


def test_violations_on_one_stream_and_errors_on_the_other(script, capsys):
    assert main(["check", script(BROKEN), script("x = (\n", "bad.py")]) == 2
    out, err = capsys.readouterr()
    assert "TDX104 no-effect" in out
    assert "1 script: 1 violation" in out
    assert err.startswith("traindx: SCRIPT: ")
    assert err.count("\n") == 1


def test_quiet_says_nothing_where_nothing_is_wrong(script, capsys):
    assert main(["check", "--quiet", script("x = 1\n")]) == 0
    assert capsys.readouterr().out == ""
    assert main(["check", "--quiet", script(BROKEN)]) == 3
    assert "TDX104" in capsys.readouterr().out


def test_json_by_either_option(script, capsys):
    path = script(BROKEN)
    written = []
    for options in (["--json"], ["--format", "json"]):
        assert main(["check", path, *options]) == 3
        written.append(json.loads(capsys.readouterr().out))
    assert written[0] == written[1]
    assert written[0]["violations"][0]["line"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "xml"], "traindx: --format: found 'xml'; use one of text, json, sarif, github"),
        (["--ignore", "TDX000"], "traindx: --ignore: found 'TDX000'"),
        (["missing.py"], "traindx: SCRIPT: no file missing.py"),
    ],
)
def test_bad_input_is_one_line(script, capsys, arguments, message):
    assert main(["check", script(BROKEN), *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_no_script_is_bad_input(capsys):
    assert main(["check"]) == 2
    assert "SCRIPT" in capsys.readouterr().err


def test_it_loads_no_torch(script):
    code = f"import sys; from traindx.cli import main; main(['check', {script(BROKEN)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
