SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
"""


def test_fires(broken):
    code = """
    for x, y in loader:
        optimizer.zero_grad()
        loss = -loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
    """
    assert broken("loss-sign-flipped", SETUP, code) == ["loss.backward()"]


def test_silent_on_what_is_rightly_made_larger(broken):
    code = """
    (-distribution.log_prob(action) * reward).backward()
    loss = -model(x).mean()
    loss.backward()
    """
    assert broken("loss-sign-flipped", SETUP, code) == []
    maximizing = "optimizer = optim.SGD(model.parameters(), lr=1, maximize=True)\nloss = -F.mse_loss(model(x), y)\nloss.backward()"
    assert broken("loss-sign-flipped", maximizing) == []


def test_declines_where_an_adversary_may_be_meant(broken):
    code = """
    adversary = optim.SGD(critic.parameters(), lr=0.1)
    loss = -loss_fn(model(x), y)
    loss.backward()
    """
    assert broken("loss-sign-flipped", SETUP, code) == []
