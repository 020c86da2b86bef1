from __future__ import annotations

import torch
import torch.nn.functional as F
from surgery_zoo import IMAGES, ROWS, TOKENS, Plain, ResNet, Shared, Transformer, feed
from torch import nn

from traindx.remedies.surgery import layers
from traindx.remedies.surgery.trace import trace


def test_order_shapes_and_activations_of_functions():
    found = layers(Plain(), feed(IMAGES))
    assert [layer.name for layer in found] == ["conv", "fc1", "fc2", "out"]
    assert [layer.activation for layer in found] == ["relu", "sigmoid", "tanh", None]
    assert [layer.hidden for layer in found] == [True, True, True, False]
    assert found[1].input_shape == (6, 96)
    assert found[1].output_shape == (6, 16)


def test_shared_layers_are_marked():
    found = {layer.name: layer for layer in layers(Shared(), feed(ROWS))}
    assert found["again"].calls == 2
    assert found["again"].shared
    assert not found["leave"].shared
    assert found["act"].calls == 4


def test_order_is_that_of_execution():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(5, 3), nn.Linear(8, 5)
            self.unused = nn.Linear(2, 2)

        def forward(self, x):
            return self.last(F.gelu(self.first(x)))

    assert [(layer.name, layer.activation) for layer in layers(Backwards(), feed(ROWS))] == [("first", "gelu"), ("last", None)]


def test_encoder_layers_are_seen_from_inside():
    names = [layer.name for layer in layers(Transformer().eval(), feed(TOKENS))]
    assert "encoder.layers.0.linear1" in names
    assert "encoder.layers.1.self_attn" in names


def test_a_residual_addition_joins_two_live_tensors():
    seen = trace(ResNet(blocks=1), feed(IMAGES))
    added = next(n for n in seen.nodes if n.label == "add")
    assert len(seen.live(added)) == 2
    assert [n.label for n in seen.output_layers()] == ["fc"]


def test_a_batch_made_inside_the_probe_counts_as_input():
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    assert layers(model, lambda m: m(torch.ones(3, 8)))[0].activation == "relu"
