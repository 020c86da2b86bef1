import pytest

SETUP = """
import torchvision
model = torchvision.models.resnet18()
"""


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("for p in model.parameters(): p.require_grad = False", "for p in model.parameters(): p.require_grad = False"),
        ("model.requires_grad = False", "model.requires_grad = False"),
        ("for child in model.children():\n    child.requires_grad = False", "child.requires_grad = False"),
        ("for name, m in model.named_modules():\n    m.requires_grad = False", "m.requires_grad = False"),
    ],
)
def test_fires(broken, code, line):
    assert broken("freezing-without-effect", SETUP, code) == [line]


def test_silent_on_parameters_and_methods(broken):
    code = """
    for p in model.parameters():
        p.requires_grad = False
    model.requires_grad_(False)
    for name, p in model.named_parameters():
        p.requires_grad = True
    """
    assert broken("freezing-without-effect", SETUP, code) == []


def test_declines_where_it_may_be_a_tensor(broken):
    code = """
    def freeze(thing):
        thing.requires_grad = False
    model.fc.weight.requires_grad = False
    """
    assert broken("freezing-without-effect", SETUP, code) == []
