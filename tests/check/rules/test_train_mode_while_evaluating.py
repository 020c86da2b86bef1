SETUP = """
model = nn.Sequential(nn.Linear(4, 8), {}, nn.Linear(8, 2))
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x, y in loader:
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
TEST = """
with torch.no_grad():
    for x, y in test_loader:
        right += (model(x).argmax(1) == y).sum()
"""


def test_fires(broken):
    line = "right += (model(x).argmax(1) == y).sum()"
    assert broken("train-mode-while-evaluating", SETUP.format("nn.Dropout()"), TEST) == [line]
    assert broken("train-mode-while-evaluating", SETUP.format("nn.BatchNorm1d(8)"), TEST) == [line]


def test_silent_with_eval_and_without_modes(broken):
    assert broken("train-mode-while-evaluating", SETUP.format("nn.Dropout()"), "model.eval()\n", TEST) == []
    assert broken("train-mode-while-evaluating", SETUP.format("nn.ReLU()"), TEST) == []


def test_declines_where_the_model_or_a_call_is_out_of_sight(broken):
    assert broken("train-mode-while-evaluating", SETUP.format("nn.Dropout()"), "from mine import prepare\nprepare(model)\n", TEST) == []
    assert (
        broken("train-mode-while-evaluating", "from mine import model\noptimizer = optim.SGD(model.parameters())\noptimizer.step()\n", TEST)
        == []
    )


def test_silent_on_a_sample_within_the_training_loop(broken):
    code = SETUP.format("nn.BatchNorm1d(8)") + "    with torch.no_grad():\n        show(model(noise))\n"
    assert broken("train-mode-while-evaluating", code) == []
