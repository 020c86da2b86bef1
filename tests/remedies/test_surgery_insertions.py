from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from sklearn.datasets import load_digits
from surgery_zoo import IMAGES, ROWS, TOKENS, Attention, Attribute, Held, Recurrent, ResNet, Shared, Transformer, UsesWeights, feed
from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery import Residual, add_dropout, add_skips, deepen, insert_normalization, layers, reinitialize


def names(model: nn.Module) -> list[str]:
    return [type(m).__name__ for m in model.modules() if not list(m.children())]


def mlp(depth: int, width: int = 64, inputs: int = 64, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    sizes = [inputs, *[width] * depth]
    return nn.Sequential(*[m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), act())], nn.Linear(width, 10))


# Normalization


def test_norm_stands_before_the_activation_and_never_at_the_end():
    model = insert_normalization(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 5)), feed(IMAGES)
    )
    assert names(model) == ["Conv2d", "BatchNorm2d", "ReLU", "Flatten", "Linear", "BatchNorm1d", "ReLU", "Linear"]


@pytest.mark.parametrize(("kind", "expected"), [("layer", ["GroupNorm", "LayerNorm"]), ("group", ["GroupNorm", "GroupNorm"])])
def test_kinds(kind, expected):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 5))
    assert [n for n in names(insert_normalization(model, feed(IMAGES), kind)) if "Norm" in n] == expected


def test_small_batches_sequences_and_shared_layers_get_layer_norm():
    assert "LayerNorm" in names(insert_normalization(mlp(2, 8, 8), feed(ROWS), batch_size=4))
    sequence = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 2))
    assert "LayerNorm" in names(insert_normalization(sequence, feed(ROWS.reshape(2, 3, 8))))
    shared = insert_normalization(Shared(), feed(ROWS))
    assert isinstance(shared.again[1], nn.LayerNorm)
    assert isinstance(shared.enter[1], nn.BatchNorm1d)


def test_what_has_norms_is_left():
    with pytest.raises(NotApplicable, match="already"):
        insert_normalization(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2)), feed(ROWS))
    with pytest.raises(NotApplicable, match="no hidden"):
        insert_normalization(nn.Linear(8, 2), feed(ROWS))
    with pytest.raises(NotApplicable, match="too narrow"):
        insert_normalization(nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 2)), feed(ROWS), "layer")
    with pytest.raises(InputError):
        insert_normalization(nn.Linear(8, 2), feed(ROWS), "instance")  # type: ignore[arg-type]


def test_a_forward_pass_that_reads_weights_itself_is_declined():
    with pytest.raises(NotApplicable):
        insert_normalization(UsesWeights(), feed(ROWS))

    class Peeks(Attribute):
        def forward(self, x):
            return super().forward(x) + 0 * self.a.weight.sum()

    model = Peeks()
    shown = repr(model)
    with pytest.raises(NotApplicable, match=r"does not run: AttributeError.*weight"):
        insert_normalization(model, feed(ROWS))
    assert repr(model) == shown


@pytest.mark.parametrize("operation", [insert_normalization, add_dropout, deepen])
@pytest.mark.parametrize("norm_first", [True, False])
def test_inference_of_encoders_is_the_same_with_and_without_gradients(operation, norm_first):
    model = Transformer(norm_first)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model = operation(model, feed(TOKENS)).eval()
    slow = model(TOKENS)
    with torch.no_grad():
        assert torch.allclose(model(TOKENS), slow, atol=1e-5)


# Skips


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    inputs = torch.tensor(x, dtype=torch.float32)
    return (inputs - inputs.mean()) / inputs.std(), torch.tensor(y)


def fit(model: nn.Module, epochs: int) -> float:
    x, y = digits()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x), y).item()


def test_shortcuts_make_56_layers_train():
    losses = {}
    for skips in (False, True):
        torch.manual_seed(0)
        model = mlp(56)
        reinitialize(model, feed(digits()[0][:20]), "he")
        if skips:
            model = add_skips(model, feed(digits()[0][:20]))
            assert sum(isinstance(m, Residual) for m in model.modules()) == 56
        losses[skips] = fit(model, 3)
    assert losses[False] > 1.5
    assert losses[True] < 0.5


def test_a_block_is_the_layer_with_all_up_to_the_next():
    model = nn.Sequential(
        nn.Linear(8, 6),
        nn.Tanh(),
        nn.Linear(6, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(6, 6),
        nn.Sigmoid(),
        nn.Linear(6, 6),
    )
    changed = add_skips(model, feed(ROWS))
    assert [type(m).__name__ for m in changed] == ["Linear", "Tanh", "Residual", "Residual", "Linear"]
    assert list(changed._modules) == ["0", "1", "2", "3", "4"]
    assert [type(m).__name__ for m in changed[2].block] == ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert changed[2].scale == 0.5
    assert "scale=0.5" in repr(changed)


def test_nested_chains_and_held_blocks():
    nested = nn.Sequential(
        nn.Sequential(nn.Linear(8, 6), nn.ReLU()),
        nn.Sequential(nn.Sequential(nn.Linear(6, 6), nn.ReLU()), nn.Sequential(nn.Linear(6, 6), nn.ReLU())),
        nn.Linear(6, 2),
    )
    assert sum(isinstance(m, Residual) for m in add_skips(nested, feed(ROWS)).modules()) == 2
    bottlenecks = nn.Sequential(
        nn.Linear(8, 6),
        nn.ReLU(),
        *[nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 6), nn.ReLU()) for _ in range(3)],
        nn.Linear(6, 2),
    )
    assert sum(isinstance(m, Residual) for m in add_skips(bottlenecks, feed(ROWS)).modules()) == 3
    held = add_skips(Held(4), feed(ROWS))
    assert all(isinstance(m, Residual) and m.scale == 0.25 for m in held.blocks)


def test_attention_without_shortcuts_is_one_block():
    model = nn.Sequential(nn.Embedding(11, 8), Attention(), Attention(), nn.Flatten(), nn.Linear(40, 3))
    changed = add_skips(model, feed(TOKENS))
    assert [type(m).__name__ for m in changed[1:3]] == ["Residual", "Residual"]
    assert isinstance(changed[1].block, Attention)


def test_shortcuts_start_near_the_identity():
    torch.manual_seed(0)
    model = add_skips(reinitialize(mlp(80), feed(digits()[0][:20]), "he"), feed(digits()[0][:20]))
    x = digits()[0][:50]
    assert 0.3 < model[:-1](x).std() / x.std() < 5


@pytest.mark.parametrize(
    ("model", "probe"), [(ResNet(), feed(IMAGES)), (Transformer(), feed(TOKENS)), (add_skips(Held(3), feed(ROWS)), feed(ROWS))]
)
def test_what_has_shortcuts_is_left(model, probe):
    with pytest.raises(NotApplicable, match="shortcuts already"):
        add_skips(model, probe)


def test_no_equal_widths():
    with pytest.raises(NotApplicable, match="same shape"):
        add_skips(nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), feed(ROWS))


# Deepen, dropout


def test_deepen_bends_a_linear_model():
    for model in (nn.Linear(8, 3), nn.Sequential(nn.Flatten(), nn.Linear(8, 3, bias=False), nn.Softmax(1))):
        x = torch.randn(6, 8)
        changed = deepen(model, feed(x), 16, 2)
        found = [layer for layer in layers(changed, feed(x)) if isinstance(layer.module, nn.Linear)]
        assert [layer.activation for layer in found[:2]] == ["relu", "relu"]
        assert len(found) == 3
    with pytest.raises(NotApplicable, match="Conv2d, not Linear"):
        deepen(nn.Conv2d(1, 2, 3), feed(IMAGES))
    assert isinstance(deepen(Recurrent(last="state"), feed(TOKENS)).head, nn.Sequential)


def test_dropout_behind_hidden_activations():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.Tanh(), nn.Linear(8, 5), nn.Sigmoid())
    changed = add_dropout(model, feed(IMAGES), 0.4)
    assert names(changed) == ["Conv2d", "ReLU", "Dropout2d", "Flatten", "Linear", "Tanh", "Dropout", "Linear", "Sigmoid"]
    with pytest.raises(NotApplicable, match="already"):
        add_dropout(changed, feed(IMAGES))


def test_idle_dropout_is_woken():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 2))
    changed = add_dropout(model, feed(ROWS), 0.2)
    assert changed[2].p == 0.2
    assert len(list(changed.modules())) == 5


def test_dropout_before_the_readers_of_functions_and_recurrent_layers():
    attribute = add_dropout(Attribute(), feed(ROWS))
    assert isinstance(attribute.b[0], nn.Dropout)
    assert isinstance(attribute.c[0], nn.Dropout)
    assert isinstance(attribute.a, nn.Linear)
    assert isinstance(add_dropout(Recurrent(bidirectional=True, last="state"), feed(TOKENS)).head[0], nn.Dropout)
    with pytest.raises(InputError):
        add_dropout(Attribute(), feed(ROWS), 1.5)
