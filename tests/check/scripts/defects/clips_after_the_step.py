import torch
from torch import nn

torch.manual_seed(0)
rnn = nn.LSTM(8, 16)
optimizer = torch.optim.Adam(rnn.parameters())
for _ in range(50):
    x = torch.randn(20, 4, 8)
    optimizer.zero_grad()
    output, _state = rnn(x)
    loss = output.square().mean()
    loss.backward()
    optimizer.step()
    nn.utils.clip_grad_norm_(rnn.parameters(), 1.0)  # TDX108
