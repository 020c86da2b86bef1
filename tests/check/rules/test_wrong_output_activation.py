import pytest


@pytest.mark.parametrize(
    "line", ["loss = F.cross_entropy(F.relu(z), y)", "loss = nn.BCEWithLogitsLoss()(nn.Sequential(nn.Linear(4, 1), nn.Tanh())(x), y)"]
)
def test_fires(broken, line):
    assert broken("wrong-output-activation", line) == [line]


@pytest.mark.parametrize("line", ["loss = F.cross_entropy(nn.Linear(4, 2)(F.relu(z)), y)", "loss = F.mse_loss(torch.tanh(z), y)"])
def test_silent_on_hidden_activations_and_other_losses(broken, line):
    assert broken("wrong-output-activation", line) == []


def test_declines_where_one_way_has_none(broken):
    code = """
    out = F.relu(z) if clip else z
    loss = F.cross_entropy(out, y)
    """
    assert broken("wrong-output-activation", code) == []
