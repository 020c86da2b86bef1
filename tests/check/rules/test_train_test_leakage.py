import pytest

SETUP = """
import torchvision
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
"""


@pytest.mark.parametrize(
    "line",
    [
        "test_set = torchvision.datasets.MNIST('data', train=True)",
        "test_loader = DataLoader(train_set, 32)",
        "testset = torchvision.datasets.SVHN('data', split='train')",
    ],
)
def test_fires_on_training_data(broken, line):
    assert broken("train-test-leakage", SETUP, line) == [line]


def test_fires_on_a_scaler_before_the_split(broken):
    code = """
    X = StandardScaler().fit_transform(X)
    a, b = train_test_split(X)
    """
    assert broken("train-test-leakage", SETUP, code) == ["a, b = train_test_split(X)"]


@pytest.mark.parametrize(
    "line",
    [
        "test_set = torchvision.datasets.MNIST('data', train=False)",
        "val_set = torchvision.datasets.MNIST('data', train=True)",
        "test_loader = DataLoader(test_set)",
        "a, b = train_test_split(X); a = StandardScaler().fit_transform(a)",
    ],
)
def test_silent(broken, line):
    assert broken("train-test-leakage", SETUP, line) == []


def test_declines_on_a_transformer_out_of_sight(broken):
    assert broken("train-test-leakage", SETUP, "X = mine.fit_transform(X)\na, b = train_test_split(X)") == []
