import pytest

SETUP = """
model = nn.Linear(4, 2)
criterion = nn.CrossEntropyLoss()
"""


@pytest.mark.parametrize(
    "line", ["loss = criterion(labels, outputs)", "loss = F.nll_loss(target, model(x))", "loss = criterion(y, logits)"]
)
def test_fires(broken, line):
    assert broken("loss-arguments-swapped", SETUP, line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "loss = criterion(outputs, labels)",
        "loss = F.mse_loss(target, model(x))",
        "loss = criterion(model(x), y)",
        "loss = criterion(input=outputs, target=y)",
    ],
)
def test_silent_on_the_right_order_and_on_symmetric_losses(broken, line):
    assert broken("loss-arguments-swapped", SETUP, line) == []


def test_declines_where_the_loss_or_the_names_say_nothing(broken):
    code = """
    from mine import criterion as own
    own(labels, outputs)
    criterion(a, b)
    """
    assert broken("loss-arguments-swapped", SETUP, code) == []
