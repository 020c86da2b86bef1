import pytest


@pytest.mark.parametrize(
    "line",
    [
        "F.nll_loss(F.softmax(z, 1), y)",
        "nn.NLLLoss()(nn.Linear(4, 2)(x), y)",
        "F.kl_div(z.softmax(-1), y)",
        "nn.BCELoss()(nn.Linear(4, 1)(x).squeeze(1), y)",
        "F.binary_cross_entropy(torch.tanh(z), y)",
    ],
)
def test_fires(broken, line):
    assert broken("wrong-loss", line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "F.nll_loss(F.log_softmax(z, 1), y)",
        "nn.BCELoss()(torch.sigmoid(z), y)",
        "F.nll_loss(torch.log(z.softmax(1)), y)",
        "F.mse_loss(nn.Linear(4, 2)(x), y)",
    ],
)
def test_silent_on_what_belongs_together(broken, line):
    assert broken("wrong-loss", line) == []


def test_declines_where_the_outputs_are_out_of_sight(broken):
    code = """
    from mine import Net
    def step(model, x, y):
        return F.nll_loss(model(x), y)
    F.nll_loss(Net()(x), y)
    """
    assert broken("wrong-loss", code) == []
