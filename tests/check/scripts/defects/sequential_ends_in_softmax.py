import torch
from torch import nn
from torch.nn import CrossEntropyLoss, Linear, ReLU, Sequential, Softmax
from torch.optim import Adam

torch.manual_seed(0)
model = Sequential(Linear(4, 32), ReLU(), Linear(32, 3), Softmax(dim=1))
loss_fn, optimizer = CrossEntropyLoss(), Adam(model.parameters())
for x, y in [(torch.randn(8, 4), torch.randint(0, 3, (8,)))]:
    y_pred = model(x)
    loss = loss_fn(y_pred, y)  # TDX201
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
assert isinstance(model, nn.Module)
