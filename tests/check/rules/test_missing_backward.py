import pytest

SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters())
"""


def test_fires(broken):
    code = """
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        optimizer.step()
    """
    assert broken("missing-backward", SETUP, code) == ["optimizer.step()"]


@pytest.mark.parametrize("backward", ["loss.backward()", "torch.autograd.backward(loss)", "scaler.scale(loss).backward()"])
def test_silent_with_a_backward_pass(broken, backward):
    code = f"""
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        {backward}
        optimizer.step()
    """
    assert broken("missing-backward", SETUP, code) == []


def test_silent_on_a_closure_and_outside_loops(broken):
    code = """
    def closure():
        loss = model(x).sum()
        loss.backward()
        return loss
    for _ in range(3):
        optimizer.step(closure)
    optimizer.step()
    """
    assert broken("missing-backward", SETUP, code) == []


@pytest.mark.parametrize("unseen", ["compute_gradients(model, loss)", "self.update()", "run(model)"])
def test_declines_where_a_call_out_of_sight_may_run_it(broken, unseen):
    code = f"""
    from mine import compute_gradients, run
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        {unseen}
        optimizer.step()
    """
    assert broken("missing-backward", SETUP, code) == []
