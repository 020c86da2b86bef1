"""Comments silence rules on their line, and a file as a whole."""

from __future__ import annotations

import pytest

from traindx.check import check
from traindx.records import InputError

LOOP = """import torch
from torch import nn
torch.manual_seed(0)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1)
for x, y in loader:
    (model(x) - y).square().mean().backward()
    optimizer.step(){comment}
"""


def codes(tmp_path, text, **options):
    path = tmp_path / "train.py"
    path.write_text(text)
    return [v.code for v in check([path], **options).violations]


@pytest.mark.parametrize(
    "comment", ["  # noqa", "  # NOQA: TDX101", "  # noqa: E501, TDX101", "  # noqa:missing-zero-grad", "  # noqa: E501 tdx101 adds up"]
)
def test_silenced(tmp_path, comment):
    assert codes(tmp_path, LOOP.format(comment=comment)) == []


@pytest.mark.parametrize("comment", ["", "  # noqa: TDX102", "  # noqa: E501", "  # noqaxyz"])
def test_not_silenced(tmp_path, comment):
    assert codes(tmp_path, LOOP.format(comment=comment)) == ["TDX101"]


def test_the_comment_may_stand_at_the_end_of_the_statement(tmp_path):
    assert codes(tmp_path, "import torch\ntorch.no_grad(\n)  # noqa: TDX104\n") == []


def test_a_file_may_be_skipped(tmp_path):
    assert codes(tmp_path, "# traindx: skip-file\n" + LOOP.format(comment="")) == []
    assert codes(tmp_path, LOOP.format(comment="") + 's = "# traindx: skip-file"\n') == ["TDX101"]


@pytest.mark.parametrize("rule", ["TDX101", "missing-zero-grad"])
def test_a_rule_may_be_left_out(tmp_path, rule):
    assert codes(tmp_path, LOOP.format(comment=""), ignore=[rule]) == []


def test_a_rule_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(InputError, match="--ignore: found 'TDX999'"):
        codes(tmp_path, "", ignore=["TDX999"])
