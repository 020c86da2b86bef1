import pytest

SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters())
"""


def test_fires(broken):
    code = """
    scheduler = optim.lr_scheduler.StepLR(optimizer, 10)
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        scheduler.step()
    """
    assert broken("missing-optimizer-step", SETUP, code) == ["optimizer.zero_grad()"]


def test_fires_through_functions(broken):
    code = """
    def train(net, opt):
        for x, y in loader:
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
    train(model, optimizer)
    """
    assert broken("missing-optimizer-step", SETUP, code) == ["opt.zero_grad()"]


@pytest.mark.parametrize("step", ["optimizer.step()", "scaler.step(optimizer)", "step(optimizer)", "step(o=optimizer)"])
def test_silent_where_it_steps_or_is_handed_over(broken, step):
    code = f"""
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        {step}
    """
    assert broken("missing-optimizer-step", SETUP, code) == []


def test_declines_where_the_optimizer_leaves_the_script(broken):
    code = """
    {}
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
    """
    for line in ("def make(): return optimizer", "state.optimizer = optimizer", "kept = [optimizer]"):
        assert broken("missing-optimizer-step", SETUP, code.format(line)) == []


def test_declines_where_another_object_is_asked_for_it(broken):
    code = """
    class Trainer:
        def __init__(self):
            self.optimizer = optim.Adam(model.parameters())
        def run(self):
            for x, y in loader:
                self.optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
    """
    assert broken("missing-optimizer-step", code) == ["self.optimizer.zero_grad()"]
    assert broken("missing-optimizer-step", code, "trainer = Trainer()\ntrainer.optimizer.step()") == []


def test_fires_where_the_model_is_cleared(broken):
    code = """
    for x, y in loader:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
    """
    assert broken("missing-optimizer-step", SETUP, code) == ["model.zero_grad()"]
