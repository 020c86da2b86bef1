import pytest

SETUP = """
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
"""


@pytest.mark.parametrize(
    "line",
    [
        "X_test = scaler.fit_transform(X_test)",
        "X_val = StandardScaler().fit_transform(X_val)",
        "x_test = (x_test - x_test.mean(0)) / 2",
        "z = test_x - np.mean(test_x)",
    ],
)
def test_fires(broken, line):
    assert broken("preprocessing-mismatch", SETUP, line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "X_test = scaler.transform(X_test)",
        "x_test = x_test - x_train.mean(0)",
        "test_logits = test_logits - test_logits.mean(-1, keepdim=True)",
        "v = value - value.mean()",
    ],
)
def test_silent_on_the_statistics_of_the_training_set_and_of_rows(broken, line):
    assert broken("preprocessing-mismatch", SETUP, line) == []


def test_declines_on_a_transformer_out_of_sight(broken):
    assert broken("preprocessing-mismatch", "from mine import scaler\nX_test = scaler.fit_transform(X_test)") == []
