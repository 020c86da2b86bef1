import pytest


@pytest.mark.parametrize(
    "line",
    [
        "p = F.softmax(nn.Linear(8, 1)(x), dim=-1)",
        "model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1), nn.Softmax(dim=-1))",
        "loss = F.cross_entropy(nn.Linear(8, 1)(x), y)",
    ],
)
def test_fires(broken, line):
    assert broken("single-unit-softmax", line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "p = F.softmax(nn.Linear(8, 2)(x), dim=-1)",
        "weights = F.softmax(nn.Linear(8, 1)(x), dim=1)",
        "alpha = torch.softmax(nn.Linear(8, 1)(x).squeeze(-1), dim=-1)",
        "loss = F.cross_entropy(nn.Linear(8, 1)(x).view(-1, choices), y)",
        "pool = nn.Sequential(nn.Linear(8, 1), nn.Softmax(dim=1))",
        "loss = F.binary_cross_entropy_with_logits(nn.Linear(8, 1)(x), y)",
    ],
)
def test_silent_on_more_units_and_on_attention(broken, line):
    assert broken("single-unit-softmax", line) == []


def test_declines_where_the_width_is_out_of_sight(broken):
    code = """
    def make(n):
        return nn.Linear(8, n)
    loss = F.cross_entropy(make(1)(x), y)
    """
    assert broken("single-unit-softmax", code) == []
