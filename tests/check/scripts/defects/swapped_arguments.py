import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for inputs, labels in [(torch.randn(8, 4), torch.rand(8, 1).round())]:
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = criterion(labels, outputs)  # TDX203
    loss.backward()
    optimizer.step()
