import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
for epoch in range(30):
    for x, y in [(torch.randn(8, 4), torch.randint(0, 3, (8,)))]:
        optimizer.zero_grad()  # TDX103
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
    scheduler.step()
