import pytest

SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
"""


def test_fires(broken):
    code = """
    for epoch in range(3):
        for x, y in loader:
            loss_fn(model(x), y).backward()
            optimizer.step()
    """
    assert broken("missing-zero-grad", SETUP, code) == ["optimizer.step()"]


def test_fires_where_only_the_epochs_clear(broken):
    code = """
    for epoch in range(3):
        optimizer.zero_grad()
        for x, y in loader:
            loss_fn(model(x), y).backward()
            optimizer.step()
    """
    assert broken("missing-zero-grad", SETUP, code) == ["optimizer.step()"]


def test_fires_through_functions(broken):
    code = """
    def train(net, opt):
        for x, y in loader:
            update(net, opt, x, y)
    def update(net, opt, x, y):
        F.cross_entropy(net(x), y).backward()
        opt.step()
    train(model, optimizer)
    """
    assert broken("missing-zero-grad", SETUP, code) == ["opt.step()"]


def test_fires_on_the_one_of_two_that_is_not_cleared(broken):
    code = """
    other = optim.Adam(critic.parameters())
    while True:
        optimizer.zero_grad()
        loss(model(x)).backward()
        optimizer.step()
        loss(critic(x)).backward()
        other.step()
    """
    assert broken("missing-zero-grad", SETUP, code) == ["other.step()"]


def test_fires_on_a_manual_update(broken):
    code = """
    w = torch.zeros(3, requires_grad=True)
    for _ in range(100):
        (w - 1).square().sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
    """
    assert broken("missing-zero-grad", code) == ["w -= 0.1 * w.grad"]


@pytest.mark.parametrize(
    "clearing",
    ["optimizer.zero_grad()", "model.zero_grad()", "for p in model.parameters(): p.grad = None", "if i % 4 == 0: optimizer.zero_grad()"],
)
def test_silent_where_gradients_are_cleared(broken, clearing):
    code = f"""
    for i, (x, y) in enumerate(loader):
        {clearing}
        loss_fn(model(x), y).backward()
        optimizer.step()
    """
    assert broken("missing-zero-grad", SETUP, code) == []


def test_silent_on_accumulation_and_closures(broken):
    code = """
    for batches in loader:
        for x, y in batches:
            loss_fn(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    def closure():
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        return loss
    for _ in range(10):
        optimizer.step(closure)
    """
    assert broken("missing-zero-grad", SETUP, code) == []


@pytest.mark.parametrize("unseen", ["helper(optimizer)", "engine.backward_and_clear(loss, optimizer)", "prepare(opt=optimizer)"])
def test_declines_where_a_call_out_of_sight_has_the_optimizer(broken, unseen):
    code = f"""
    from mine import helper, prepare
    for x, y in loader:
        {unseen}
        loss_fn(model(x), y).backward()
        optimizer.step()
    """
    assert broken("missing-zero-grad", SETUP, code) == []


def test_declines_where_the_optimizer_is_out_of_sight(broken):
    code = """
    def train(model, optimizer, loader):
        for x, y in loader:
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """
    assert broken("missing-zero-grad", code) == []


def test_silent_where_each_turn_starts_anew(broken):
    code = """
    for batch in loader:
        x = batch.clone().requires_grad_()
        stepper = optim.SGD([x], lr=1)
        model(x).sum().backward()
        stepper.step()
    for batch in loader:
        w = batch.clone().requires_grad_()
        model(w).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
    """
    assert broken("missing-zero-grad", SETUP, code) == []


def test_fires_on_a_closure_and_an_unpacked_optimizer(broken):
    code = """
    def make():
        net = nn.Linear(4, 2)
        return net, optim.LBFGS(net.parameters())
    net, stepper = make()
    def closure():
        loss = loss_fn(net(x), y)
        loss.backward()
        return loss
    for _ in range(10):
        stepper.step(closure)
    """
    assert broken("missing-zero-grad", SETUP, code) == ["stepper.step(closure)"]
