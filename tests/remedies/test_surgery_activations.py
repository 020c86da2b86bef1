from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from surgery_zoo import IMAGES, ROWS, TOKENS, Attribute, Branching, Gated, HandLSTM, Plain, Shared, Swish, Transformer, feed
from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery import (
    insert_activations,
    layers,
    output_activation,
    remove_output_activation,
    replace_output_activation,
    swap_activations,
)


def kinds(model: nn.Module) -> list[str]:
    return [type(m).__name__ for m in model.modules() if type(m).__module__.endswith("activation")]


@pytest.mark.parametrize("act", [nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign, nn.LogSigmoid, Swish])
def test_between_layers_only(act):
    model = nn.Sequential(nn.Linear(8, 8), act(), nn.Sequential(nn.Linear(8, 8), act()), nn.Linear(8, 1), nn.Sigmoid())
    assert kinds(swap_activations(model, feed(ROWS))) == ["ReLU", "ReLU", "Sigmoid"]


def test_weights_that_feed_them_are_drawn_anew_and_no_others():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 400), nn.Sigmoid(), nn.Linear(400, 300), nn.Sigmoid(), nn.Linear(300, 3))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    swap_activations(model, feed(ROWS))
    assert model[2].weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert model[2].bias.abs().max() == 0
    assert torch.equal(model[4].weight, before["4.weight"])
    again = nn.Sequential(nn.Linear(8, 4), nn.Sigmoid(), nn.Linear(4, 3))
    kept = again[0].weight.clone()
    swap_activations(again, feed(ROWS), reinitialize=False)
    assert torch.equal(again[0].weight, kept)


def test_tanh_gets_glorot():
    model = nn.Sequential(nn.Linear(8, 400), nn.ReLU(), nn.Linear(400, 200), nn.ReLU(), nn.Linear(200, 3))
    swap_activations(model, feed(ROWS), to="tanh")
    assert model[2].weight.abs().max().item() <= (6 / 600) ** 0.5


def test_an_attribute_that_holds_the_function_is_replaced():
    for act in (torch.tanh, torch.sigmoid, F.sigmoid, F.tanh):
        model = swap_activations(Attribute(act), feed(ROWS))
        assert isinstance(model, Attribute)
        assert isinstance(model.act, nn.ReLU)


def test_an_unused_attribute_misleads_nobody():
    model = Plain()  # holds torch.tanh, and calls the method
    changed = swap_activations(model, feed(IMAGES))
    assert [layer.activation for layer in layers(changed, feed(IMAGES)) if layer.activation] == ["relu"] * 3


def test_functions_are_reached_by_tracing_and_dropout_keeps_its_modes():
    changed = swap_activations(Plain(drop=0.5).train(), feed(IMAGES))
    x = IMAGES
    assert changed.training
    assert not torch.equal(changed(x), changed(x))
    changed.eval()
    assert torch.equal(changed(x), changed(x))
    assert not {n.name for n in changed.graph.nodes} & {"sigmoid", "tanh"}
    assert dict(changed.named_parameters()).keys() == dict(Plain().named_parameters()).keys()


def test_what_cannot_be_traced_says_so():
    with pytest.raises(NotApplicable, match="cannot be traced"):
        swap_activations(Branching(), feed(ROWS))


def test_a_model_without_activations_says_so():
    with pytest.raises(NotApplicable, match="no activation between layers"):
        swap_activations(nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2)), feed(ROWS))
    with pytest.raises(NotApplicable, match="no hidden layers"):
        swap_activations(nn.Linear(8, 2), feed(ROWS))
    with pytest.raises(NotApplicable, match="already"):
        swap_activations(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)), feed(ROWS))


def test_other_bends_are_named():
    class Clamped(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.b(self.a(x).clamp(min=0))

    with pytest.raises(NotApplicable, match="by clamp"):
        swap_activations(Clamped(), feed(ROWS))


def test_a_forward_pass_that_switches_gradients_off_is_not_rewritten():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 4), nn.Linear(4, 2)

        def forward(self, x):
            with torch.no_grad():
                h = torch.tanh(self.a(x))
            return self.b(h)

    with pytest.raises(NotApplicable, match="switches gradients"):
        swap_activations(Frozen(), feed(ROWS))


def test_a_hidden_activation_that_is_also_returned_is_not_the_output_activation():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 4), nn.Linear(4, 2)

        def forward(self, x):
            h = torch.relu(self.a(x))
            return self.b(h), h

    with pytest.raises(NotApplicable, match="do not come from"):
        remove_output_activation(Both(), feed(ROWS))


def test_gates_stay():
    changed = swap_activations(Gated(), feed(IMAGES), to="tanh")
    assert isinstance(changed.gate, nn.Sigmoid)
    assert isinstance(changed.relu, nn.Tanh)
    with pytest.raises(NotApplicable):
        swap_activations(HandLSTM(), feed(TOKENS))
    for kind in (nn.LSTM, nn.GRU):
        with pytest.raises(NotApplicable):
            swap_activations(nn.Sequential(kind(8, 4)), lambda m: m(ROWS)[0])


def test_a_shared_activation_at_the_end_stays():
    changed = swap_activations(Shared(final=True), feed(ROWS))
    assert [layer.activation for layer in layers(changed, feed(ROWS)) if layer.name in ("enter", "again", "leave")] == [
        "relu",
        "relu",
        "sigmoid",
    ]


def test_the_fused_kernel_does_not_bring_the_old_activation_back():
    model = swap_activations(Transformer().eval(), feed(TOKENS), to="tanh", reinitialize=False)
    slow = model(TOKENS)
    with torch.no_grad():
        assert torch.allclose(model(TOKENS), slow, atol=1e-5)


def test_an_unknown_activation_is_an_input_error():
    with pytest.raises(InputError, match="use one of"):
        swap_activations(nn.Linear(8, 2), feed(ROWS), to="softmax")


@pytest.mark.parametrize("act", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid(), nn.ReLU(), nn.Tanh()])
def test_output_activation_comes_off(act):
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 3), act))
    logits = nn.Sequential(model[0], model[1], model[2][0])(ROWS)
    assert torch.equal(remove_output_activation(model, feed(ROWS))(ROWS), logits)


@pytest.mark.parametrize(
    "function", [lambda x: F.softmax(x, dim=1), torch.sigmoid, lambda x: x.log_softmax(-1).squeeze(), F.relu, torch.tanh]
)
def test_output_function_comes_off(function):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 4), nn.Linear(4, 3)

        def forward(self, x):
            return function(self.b(torch.relu(self.a(x))))

    model = Model()
    logits = model.b(torch.relu(model.a(ROWS)))
    assert torch.allclose(remove_output_activation(model, feed(ROWS))(ROWS), logits)


def test_softmax_over_two_dimensions_without_dim_is_left():
    with pytest.raises(NotApplicable, match="do not come from an activation"):
        remove_output_activation(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3)), feed(ROWS))


@pytest.mark.parametrize("act", [nn.Softmax(1), nn.ReLU(), nn.Tanh()])
def test_another_output_activation(act):
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3), act)
    logits = nn.Sequential(*model[:3])(ROWS)
    changed = replace_output_activation(model, feed(ROWS), "sigmoid")
    assert torch.equal(changed(ROWS), logits.sigmoid())
    assert kinds(changed) == ["ReLU", "Sigmoid"]


def test_another_output_function():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 4), nn.Linear(4, 1)

        def forward(self, x):
            return F.softmax(self.b(torch.relu(self.a(x))), dim=1)

    model = Model()
    logits = model.b(torch.relu(model.a(ROWS)))
    assert torch.allclose(replace_output_activation(model, feed(ROWS))(ROWS), logits.sigmoid())


def test_a_hidden_use_of_the_same_activation_keeps_it():
    shared = nn.Tanh()
    model = nn.Sequential(nn.Linear(8, 4), shared, nn.Linear(4, 3), shared)
    logits = model[2](model[0](ROWS).tanh())
    assert torch.allclose(replace_output_activation(model, feed(ROWS))(ROWS), logits.sigmoid())


def test_no_output_activation_and_an_unknown_one():
    plain = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3))
    with pytest.raises(NotApplicable, match="do not come from an activation"):
        replace_output_activation(plain, feed(ROWS))
    with pytest.raises(InputError, match="use one of"):
        replace_output_activation(nn.Sequential(plain, nn.Softmax(1)), feed(ROWS), "nothing")


@pytest.mark.parametrize(
    ("end", "name"),
    [((), None), ((nn.Softmax(1),), "softmax"), ((nn.Sigmoid(), nn.Flatten()), "sigmoid"), ((nn.Tanh(), nn.Linear(3, 3)), None)],
)
def test_the_name_of_the_output_activation(end, name):
    assert output_activation(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3), *end), feed(ROWS)) == name


def test_activations_are_inserted_where_there_are_none():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 8), nn.Tanh(), nn.Linear(8, 6), nn.Linear(6, 2)
    )
    changed = insert_activations(model, feed(IMAGES))
    assert isinstance(changed[1], nn.Sequential)
    assert isinstance(changed[1][1], nn.ReLU)
    assert kinds(changed) == ["ReLU", "Tanh", "ReLU"]
    with pytest.raises(NotApplicable):
        insert_activations(changed, feed(IMAGES))
    with pytest.raises(NotApplicable):
        insert_activations(Transformer(), feed(TOKENS))
