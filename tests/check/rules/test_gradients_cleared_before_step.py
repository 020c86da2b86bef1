SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
"""


def test_fires_between_backward_and_step(broken):
    code = """
    for x, y in loader:
        loss_fn(model(x), y).backward()
        optimizer.zero_grad()
        optimizer.step()
    """
    assert broken("gradients-cleared-before-step", SETUP, code) == ["optimizer.zero_grad()"]


def test_fires_where_backward_follows_the_step(broken):
    code = """
    for x, y in loader:
        optimizer.zero_grad()
        optimizer.step()
        loss_fn(model(x), y).backward()
    """
    assert broken("gradients-cleared-before-step", SETUP, code) == ["optimizer.zero_grad()"]


def test_silent_on_the_usual_orders(broken):
    code = """
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
    for x, y in loader:
        loss_fn(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        loss_fn(model(x), y).backward()
        if i == 0:
            optimizer.zero_grad()
        optimizer.step()
    """
    assert broken("gradients-cleared-before-step", SETUP, code) == []


def test_declines_where_another_optimizer_or_an_unseen_call_is_between(broken):
    code = """
    from mine import backward_of
    other = optim.SGD(critic.parameters(), lr=0.1)
    for x, y in loader:
        loss_fn(model(x), y).backward()
        other.zero_grad()
        optimizer.step()
    for x, y in loader:
        optimizer.zero_grad()
        backward_of(model, x)
        optimizer.step()
    """
    assert broken("gradients-cleared-before-step", SETUP, code) == []
