import pytest

DATA = """
import torchvision
data = torchvision.datasets.MNIST("data", train=True)
"""
LOOP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
"""


@pytest.mark.parametrize(
    "line",
    [
        "loader = DataLoader(data, 32)",
        "loader = DataLoader(data, batch_size=32, shuffle=False)",
        "loader = DataLoader(TensorDataset(x, y))",
    ],
)
def test_fires(broken, line):
    assert broken("data-not-shuffled", DATA, f"{line}\n", LOOP) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "loader = DataLoader(data, shuffle=True)",
        "loader = DataLoader(data, sampler=sampler)",
        "loader = DataLoader(data, shuffle=shuffled)",
    ],
)
def test_silent_on_shuffling_and_samplers(broken, line):
    assert broken("data-not-shuffled", DATA, f"{line}\n", LOOP) == []


def test_silent_on_a_loader_that_only_evaluates(broken):
    line = "loader = DataLoader(data, shuffle=True)\ntest_loader = DataLoader(data)\n"
    assert broken("data-not-shuffled", DATA, line, LOOP, "\nfor x, y in test_loader:\n    model(x)") == []


@pytest.mark.parametrize(
    "line", ["loader = DataLoader(mine(data))", "loader = DataLoader(data, **options)", "lstm = nn.LSTM(2, 2); loader = DataLoader(data)"]
)
def test_declines_where_the_data_are_out_of_sight_or_in_time(broken, line):
    assert broken("data-not-shuffled", DATA, f"{line}\n", LOOP) == []


def test_declines_on_iterable_data(broken):
    code = """
    from torch.utils.data import IterableDataset
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())
    loader = DataLoader(Stream())
    """
    assert broken("data-not-shuffled", code, LOOP) == []
