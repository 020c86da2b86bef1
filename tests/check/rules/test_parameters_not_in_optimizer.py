TRAINING = """
for x, y in loader:
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
SETUP = """
import torchvision
model = torchvision.models.resnet18()
optimizer = optim.SGD(model.parameters(), lr=0.1)
"""


def test_fires_on_a_new_head(broken):
    assert broken("parameters-not-in-optimizer", SETUP, "model.fc = nn.Linear(512, 2)\n", TRAINING) == ["model.fc = nn.Linear(512, 2)"]


def test_fires_on_a_new_model(broken):
    line = "model = torchvision.models.resnet50()"
    assert broken("parameters-not-in-optimizer", SETUP, f"{line}\n", TRAINING) == [line]


def test_silent_where_the_optimizer_is_made_again_or_told(broken):
    again = "optimizer = optim.SGD(model.parameters(), lr=0.1)\n"
    told = "optimizer.add_param_group({'params': model.fc.parameters()})\n"
    head = "model.fc = nn.Linear(512, 2)\n"
    assert broken("parameters-not-in-optimizer", SETUP, head, again, TRAINING) == []
    assert broken("parameters-not-in-optimizer", SETUP, head, told, TRAINING) == []


def test_silent_where_nothing_new_must_learn(broken):
    lines = "model.fc = nn.Identity()\nmodel = model.to('cuda')\nmodel = nn.DataParallel(model)\n"
    assert broken("parameters-not-in-optimizer", SETUP, lines, TRAINING) == []


def test_declines_where_the_optimizer_is_not_used_afterwards(broken):
    code = "model = torchvision.models.resnet50()\nmodel.load_state_dict(state)\nprint(model(x))"
    assert broken("parameters-not-in-optimizer", SETUP, TRAINING, code) == []
