import pytest

LOOP = """
for x, y in loader:
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    {}
"""


@pytest.mark.parametrize(
    "line", ["total += loss", "total = total + loss", "self.total += loss * len(x)", "losses.append(loss)", "total += loss / 10"]
)
def test_fires(broken, line):
    assert broken("loss-kept-with-graph", LOOP.format(line)) == [line]


@pytest.mark.parametrize(
    "line", ["total += loss.item()", "total += loss.detach()", "losses.append(float(loss))", "loss = loss.item(); total += loss"]
)
def test_silent_where_the_number_is_kept(broken, line):
    assert broken("loss-kept-with-graph", LOOP.format(line)) == []


def test_silent_where_the_total_is_run_backward(broken):
    code = """
    for task in tasks:
        for x, y in task:
            loss = F.cross_entropy(model(x), y)
            total += loss
        total.backward()
    """
    assert broken("loss-kept-with-graph", code) == []


def test_declines_where_the_graph_is_kept_on_purpose_or_off(broken):
    code = """
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        loss.backward(retain_graph=True)
        total += loss
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            total += loss
    """
    assert broken("loss-kept-with-graph", code) == []
