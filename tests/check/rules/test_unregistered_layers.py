import pytest

CLASS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {}
        self.head = nn.Linear(2, 2)
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
"""


@pytest.mark.parametrize(
    "line",
    [
        "self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]",
        "self.layers = [nn.Conv2d(2, 2, 1) for _ in range(3)]",
        "self.layers = {'a': nn.LSTM(2, 2)}",
    ],
)
def test_fires(broken, line):
    assert broken("unregistered-layers", CLASS.format(line)) == [line]


def test_fires_on_appends(broken):
    code = CLASS.format("self.layers = []\n        self.layers.append(nn.Linear(2, 2))")
    assert broken("unregistered-layers", code) == ["self.layers.append(nn.Linear(2, 2))"]


@pytest.mark.parametrize(
    "line",
    [
        "self.layers = nn.ModuleList([nn.Linear(2, 2)])",
        "self.layers = [nn.ReLU(), nn.Dropout()]",
        "self.layers = [nn.Linear(2, 2)]; self.net = nn.Sequential(*self.layers)",
        "self.layers = nn.ModuleList(); self.layers.append(nn.Linear(2, 2))",
        "self.layers = [nn.Linear(2, 2)]; self.add_module('a', self.layers[0])",
    ],
)
def test_silent_where_they_are_registered_or_have_nothing_to_learn(broken, line):
    assert broken("unregistered-layers", CLASS.format(line)) == []


def test_declines_outside_modules_and_where_the_list_goes_elsewhere(broken):
    handed_over = CLASS.format("self.layers = [nn.Linear(2, 2)]; register(self.layers)")
    outside = CLASS.replace("nn.Module", "Plain").format("self.layers = [nn.Linear(2, 2)]")
    assert broken("unregistered-layers", handed_over, outside) == []
