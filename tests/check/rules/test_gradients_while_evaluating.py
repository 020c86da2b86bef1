import pytest

FUNCTION = """
{decorator}
def test(model, loader):
    model.eval()
    {before}
    for x, y in loader:
        output = model(x)
        total += F.cross_entropy(output, y).item()
"""


def test_fires_in_functions_and_outside(broken):
    code = FUNCTION.format(decorator="", before="")
    assert broken("gradients-while-evaluating", code, "test(net, loader)") == ["output = model(x)"]
    assert broken("gradients-while-evaluating", "model.eval()\nfor x in loader:\n    y = model(x)\n") == ["y = model(x)"]


@pytest.mark.parametrize(
    ("decorator", "call"),
    [("@torch.no_grad()", "test(n, l)"), ("@torch.inference_mode()", "test(n, l)"), ("", "with torch.no_grad(): test(n, l)")],
)
def test_silent_without_gradients(broken, decorator, call):
    assert broken("gradients-while-evaluating", FUNCTION.format(decorator=decorator, before=""), call) == []


def test_silent_where_the_model_is_trained_or_gradients_are_asked_for(broken):
    assert broken("gradients-while-evaluating", FUNCTION.format(decorator="", before="model.train()"), "test(n, l)") == []
    assert broken("gradients-while-evaluating", FUNCTION.format(decorator="", before="x.requires_grad_(); x.grad"), "test(n, l)") == []


def test_silent_on_a_single_batch(broken):
    assert broken("gradients-while-evaluating", "model.eval()\nfor x in loader:\n    y = model(x)\n    break\n") == []


def test_declines_where_nobody_in_sight_calls_the_function(broken):
    assert broken("gradients-while-evaluating", FUNCTION.format(decorator="", before="")) == []
