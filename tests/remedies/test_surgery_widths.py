from __future__ import annotations

import pytest
import torch
from surgery_zoo import GPT, IMAGES, ROWS, TOKENS, Gated, Plain, Recurrent, ResNet, Shared, Tied, Transformer, feed
from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery import narrow, set_output_width, widen
from traindx.remedies.surgery.channels import _runs


def test_chain_with_all_that_stands_between():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.PReLU(4),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 2),
        nn.GroupNorm(2, 6),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Flatten(),
        nn.Linear(24, 10),
        nn.LayerNorm(10),
        nn.Sigmoid(),
        nn.Linear(10, 5),
    )
    widen(model, feed(IMAGES), 2)
    assert (model[0].out_channels, model[1].num_features, model[2].num_parameters, model[4].in_channels) == (8, 8, 8, 8)
    assert (model[4].out_channels, model[5].num_channels, model[9].in_features, model[9].out_features) == (12, 12, 48, 20)
    assert (model[10].normalized_shape, model[12].in_features, model[12].out_features) == ((20,), 20, 5)
    assert model(IMAGES).shape == (6, 5)


def test_fresh_weights_are_those_of_a_model_built_so():
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    torch.manual_seed(5)
    widen(model, feed(ROWS), 2)
    torch.manual_seed(5)
    built = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 3))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), built.parameters(), strict=True))
    assert repr(model) == repr(built)


def test_one_layer_alone():
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 2), nn.ReLU(), nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 3))
    first, last = model[0].weight, model[6].weight
    widen(model, feed(ROWS), 8, layer="2")
    assert [m.out_features for m in model if isinstance(m, nn.Linear)] == [12, 16, 12, 3]
    assert model[0].weight is first
    assert model[6].weight is last
    with pytest.raises(NotApplicable, match="no layer 'fc'"):
        widen(model, feed(ROWS), layer="fc")
    with pytest.raises(NotApplicable, match="output"):
        widen(model, feed(ROWS), layer="6")


def test_cap_and_floor():
    model = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 300), nn.ReLU(), nn.Linear(300, 3))
    widen(model, feed(ROWS), 4, cap=256)
    assert [m.out_features for m in model if isinstance(m, nn.Linear)] == [256, 300, 3]
    with pytest.raises(NotApplicable, match="bound"):
        widen(model, feed(ROWS), 4, cap=256)
    with pytest.raises(NotApplicable, match="bound"):
        narrow(nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 3)), feed(ROWS))
    with pytest.raises(InputError):
        widen(model, feed(ROWS), 0.5)


def test_too_large_is_declined():
    model = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 3))
    with pytest.raises(NotApplicable, match="weights, more than"):
        widen(model, feed(ROWS), 1000, cap=100_000)


def test_residual_nets_change_as_a_whole():
    model = widen(ResNet(c=4, blocks=2), feed(IMAGES), 2)
    assert {m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)} == {8}
    model = narrow(ResNet(c=8), feed(IMAGES), 4)
    assert model.fc.in_features == 2


def test_branches_gates_depthwise_and_joins():
    model = widen(Gated(), feed(IMAGES), 2)
    assert (model.conv.out_channels, model.depthwise.groups, model.up.out_features, model.down.in_features) == (16, 16, 16, 16)
    assert (model.side.out_channels, model.head.in_features) == (8, 24)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("last", ["sequence", "mean", "state"])
@pytest.mark.parametrize("both", [True, False])
def test_recurrent_layers(kind, last, both):
    model = widen(Recurrent(kind, both, last, 2), feed(TOKENS), 2)
    assert (model.embed.embedding_dim, model.rnn.hidden_size, model.head.in_features) == (12, 20, 40 if both else 20)
    built = Recurrent(kind, both, last, 2)
    built.rnn = kind(12, 20, 2, batch_first=True, bidirectional=both)
    assert [(n, p.shape) for n, p in model.rnn.named_parameters()] == [(n, p.shape) for n, p in built.rnn.named_parameters()]
    model(TOKENS).sum().backward()
    assert model.rnn.weight_hh_l1.grad is not None


def test_attention_keeps_its_width_and_the_layers_beside_it_change():
    model = widen(Transformer(), feed(TOKENS), 3)
    layer = model.encoder.layers[1]
    assert (layer.linear1.out_features, layer.linear2.in_features, layer.linear2.out_features) == (48, 48, 8)
    model.eval()
    slow = model(TOKENS)
    with torch.no_grad():
        assert torch.allclose(model(TOKENS), slow, atol=1e-5)


def test_a_written_out_size_fixes_its_width_only():
    class LeNet(nn.Module):
        def __init__(self, written: bool):
            super().__init__()
            self.conv, self.a, self.b = nn.Conv2d(1, 4, 3), nn.Linear(144, 10), nn.Linear(10, 5)
            self.written = written

        def forward(self, x):
            x = self.conv(x)
            x = x.view(-1, 4 * 6 * 6) if self.written else x.reshape(x.size(0), x.size(1) * x.size(2) * x.size(3))
            return self.b(torch.relu(self.a(x)))

    written, computed = widen(LeNet(True), feed(IMAGES), 2), widen(LeNet(False), feed(IMAGES), 2)
    assert (written.conv.out_channels, written.a.out_features) == (4, 20)
    assert (computed.conv.out_channels, computed.a.out_features) == (8, 20)


def test_hand_made_attention_fixes_its_width_only():
    model = widen(GPT(), feed(TOKENS), 2)
    assert (model.token.embedding_dim, model.blocks[0]["mlp"][0].out_features, model.blocks[1]["attention"].q.out_features) == (8, 64, 8)


def test_states_by_hand_fix_the_recurrent_width():
    class ByHand(Recurrent):
        def forward(self, x):
            return self.head(self.rnn(self.embed(x), torch.zeros(1, len(x), 10))[0][:, -1])

    model = ByHand(nn.GRU)
    changed = widen(model, feed(TOKENS), 2)
    assert (changed.embed.embedding_dim, changed.rnn.hidden_size) == (12, 10)


def test_shared_layers_and_tied_weights():
    model = widen(Shared(), feed(ROWS), 2)
    assert (model.enter.out_features, model.again.in_features, model.again.out_features) == (24, 24, 24)
    with pytest.raises(NotApplicable, match="shared"):
        widen(Tied(), feed(TOKENS))


def test_output_and_frozen_flags_stay():
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    model[0].requires_grad_(False)
    widen(model, feed(ROWS.double()), 2)
    assert not model[0].weight.requires_grad
    assert model(ROWS.double()).dtype == torch.float64


def test_narrow_undoes_widen_in_shape():
    shapes = [p.shape for p in Plain().parameters()]
    model = narrow(widen(Plain(), feed(IMAGES), 4), feed(IMAGES), 4)
    assert [p.shape for p in model.parameters()] == shapes


@pytest.mark.parametrize(
    ("old", "new", "runs"),
    [
        ((2, 4, 3, 3), (2, 36), [([0], [0]), ([1, 2, 3], [1])]),
        ((2, 4, 1, 1), (2, 4), [([0], [0]), ([1, 2, 3], [1])]),
        ((2, 5, 8), (10, 8), [([0, 1], [0]), ([2], [1])]),
        ((2, 5, 8), (2, 5, 4, 2), [([0], [0]), ([1], [1]), ([2], [2, 3])]),
    ],
)
def test_runs_of_a_reshape(old, new, runs):
    assert _runs(old, new) == runs


@pytest.mark.parametrize("width", [1, 3, 20])
def test_another_number_of_outputs(width):
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 3, bias=False), nn.Softmax(1)))
    hidden = model[0].weight
    changed = set_output_width(model, feed(ROWS), width)
    assert changed(ROWS).shape == (6, width)
    assert changed[0].weight is hidden and changed[2][0].bias is None
    assert set_output_width(ResNet(), feed(IMAGES), width)(IMAGES).shape == (6, width)


def test_fresh_outputs_are_of_the_models_kind():
    model = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 3)).double()
    changed = set_output_width(model, feed(ROWS.double()), 5)
    assert changed(ROWS.double()).dtype is torch.float64


def test_outputs_that_no_single_linear_layer_gives_keep_their_number():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 3), nn.Linear(8, 3)

        def forward(self, x):
            return self.a(x) + self.b(x)

    convolution = nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten())
    for model, inputs in ((Two(), ROWS), (convolution, IMAGES)):
        with pytest.raises(NotApplicable, match="one linear layer"):
            set_output_width(model, feed(inputs), 5)
    with pytest.raises(NotApplicable, match="shared"):
        tied = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        tied[2].weight = tied[0].weight
        set_output_width(tied, feed(ROWS), 5)
    with pytest.raises(InputError, match="at least 1"):
        set_output_width(nn.Linear(8, 3), feed(ROWS), 0)
