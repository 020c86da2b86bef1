SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scheduler = optim.lr_scheduler.StepLR(optimizer, 10)
def train():
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
"""


def test_fires(broken):
    code = """
    for epoch in range(10):
        scheduler.step()
        train()
    """
    assert broken("scheduler-before-optimizer", SETUP, code) == ["scheduler.step()"]


def test_silent_after_the_optimizer(broken):
    code = """
    for epoch in range(10):
        train()
        scheduler.step()
    """
    assert broken("scheduler-before-optimizer", SETUP, code) == []


def test_declines_where_a_step_may_come_first(broken):
    code = """
    for epoch in range(10):
        if epoch > 0:
            scheduler.step()
        train()
    for epoch in range(10):
        warm_up(optimizer)
        scheduler.step()
        train()
    """
    assert broken("scheduler-before-optimizer", SETUP, code) == []
