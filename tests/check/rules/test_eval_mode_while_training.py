SETUP = """
model = nn.Sequential(nn.Linear(4, 8), {}, nn.Linear(8, 2))
optimizer = optim.SGD(model.parameters(), lr=0.1)
def validate(net):
    net.eval()
    with torch.no_grad():
        return sum(net(x).sum() for x in held_out)
"""
LOOP = """
model.train()
for epoch in range(10):
    {}
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    validate(model)
"""


def test_fires(broken):
    assert broken("eval-mode-while-training", SETUP.format("nn.Dropout()"), LOOP.format("pass")) == ["net.eval()"]


def test_silent_where_the_mode_is_set_back(broken):
    assert broken("eval-mode-while-training", SETUP.format("nn.Dropout()"), LOOP.format("model.train()")) == []


def test_silent_where_modes_do_not_matter(broken):
    assert broken("eval-mode-while-training", SETUP.format("nn.ReLU()"), LOOP.format("pass")) == []


def test_declines_on_another_model_and_where_a_call_is_out_of_sight(broken):
    other = LOOP.format("pass").replace("validate(model)", "validate(teacher)")
    assert broken("eval-mode-while-training", SETUP.format("nn.Dropout()"), other) == []
    unseen = "from mine import train_mode\n" + LOOP.format("train_mode(model)")
    assert broken("eval-mode-while-training", SETUP.format("nn.Dropout()"), unseen) == []
