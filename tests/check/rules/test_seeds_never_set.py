import pytest

LOOP = """
def main():
    model = nn.Linear(4, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
"""


def test_fires_once(broken):
    assert broken("seeds-never-set", LOOP, "main()\nmain()") == ["F.cross_entropy(model(x), y).backward()"]


@pytest.mark.parametrize(
    "line", ["torch.manual_seed(0)", "np.random.seed(1)", "parser.add_argument('--seed')", "torch.Generator().manual_seed(3)"]
)
def test_silent_where_a_seed_is_named(broken, line):
    assert broken("seeds-never-set", f"{line}\n", LOOP, "main()") == []


def test_silent_where_nothing_is_trained(broken):
    assert broken("seeds-never-set", LOOP) == []


def test_declines_where_another_file_may_set_it(broken):
    assert broken("seeds-never-set", "from mine import set_up\nset_up()\n", LOOP, "main()") == []
