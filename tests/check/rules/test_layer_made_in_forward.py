import pytest

CLASS = """
class Net(nn.Module):
    def forward(self, x):
        {}
        return x
"""


@pytest.mark.parametrize("lines", ["x = nn.Linear(4, 4)(x)", "fc = nn.Linear(4, 4); x = fc(x)"])
def test_fires(broken, lines):
    assert broken("layer-made-in-forward", CLASS.format(lines)) == [lines]


@pytest.mark.parametrize("lines", ["x = nn.ReLU()(x)", "x = self.fc(x)", "x = nn.Softmax(dim=1)(x)"])
def test_silent_on_layers_without_parameters(broken, lines):
    assert broken("layer-made-in-forward", CLASS.format(lines)) == []


def test_declines_where_the_layer_is_kept(broken):
    lines = "fc = nn.Linear(4, 4); self.fc = fc; x = fc(x)"
    assert broken("layer-made-in-forward", CLASS.format(lines)) == []
    assert broken("layer-made-in-forward", CLASS.format("self.fc = nn.Linear(4, 4); x = self.fc(x)")) == []
