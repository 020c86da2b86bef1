import pytest


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(net(x), y).detach()",
        "F.cross_entropy(net(x), y).data",
        "torch.tensor(F.cross_entropy(net(x), y).item(), requires_grad=True)",
        "F.mse_loss(net(x).detach(), y).requires_grad_()",
        "F.l1_loss(net(x).argmax(1), y)",
    ],
)
def test_fires(broken, loss):
    code = f"""
    for x, y in loader:
        loss = {loss}
        loss.backward()
    """
    assert broken("detached-graph", code) == ["loss.backward()"]


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(net(x), y)",
        "F.mse_loss(net(x), other(x).detach())",
        "F.mse_loss(net(x).detach(), both(x)[1])",
        "F.mse_loss(net(x).detach(), mean)",
        "F.mse_loss(critic(net(x).detach()), y)",
        "F.mse_loss(net(x), y) + F.mse_loss(net(x), y).detach()",
    ],
)
def test_silent_where_the_graph_is_whole(broken, loss):
    code = f"""
    for x, y in loader:
        mean, variance = both(x)
        loss = {loss}
        loss.backward()
    """
    assert broken("detached-graph", code) == []


def test_declines_where_only_one_way_is_cut_or_the_loss_is_out_of_sight(broken):
    code = """
    loss = F.mse_loss(net(x), y)
    if frozen:
        loss = loss.detach()
    loss.backward()
    def update(loss):
        loss.backward()
    F.mse_loss(net(x).detach(), net(x)).backward()
    """
    assert broken("detached-graph", code) == []
