import pytest

CLASS = """
class Net({base}):
    def forward(self, x):
        {line}
        return x
"""


@pytest.mark.parametrize("line", ["x = F.dropout(x, 0.5)", "x = F.dropout2d(x, p=0.2)"])
def test_fires(broken, line):
    assert broken("dropout-always-on", CLASS.format(base="nn.Module", line=line)) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "x = F.dropout(x, 0.5, self.training)",
        "x = F.dropout(x, training=self.training)",
        "x = F.dropout(x, training=True)",
        "x = F.dropout(x, 0.5) if self.training else x",
    ],
)
def test_silent_where_the_mode_is_told(broken, line):
    assert broken("dropout-always-on", CLASS.format(base="nn.Module", line=line)) == []


def test_declines_outside_modules_and_with_stars(broken):
    assert broken("dropout-always-on", CLASS.format(base="Plain", line="x = F.dropout(x, 0.5)")) == []
    assert broken("dropout-always-on", CLASS.format(base="nn.Module", line="x = F.dropout(x, **self.options)")) == []
