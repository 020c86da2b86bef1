import pytest


@pytest.mark.parametrize("line", ["model.eval", "optimizer.step", "loss.backward", "torch.no_grad()"])
def test_fires(broken, line):
    assert broken("no-effect", line) == [line]


def test_silent_on_calls_and_contexts(broken):
    code = """
    model.eval()
    with torch.no_grad():
        step = optimizer.step
    optimizer.param_groups
    """
    assert broken("no-effect", code) == []


def test_declines_on_a_no_grad_of_another_library(broken):
    assert broken("no-effect", "from mine import no_grad", "\nno_grad()") == []
