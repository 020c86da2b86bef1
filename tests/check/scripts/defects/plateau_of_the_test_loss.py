import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

torch.manual_seed(0)
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = ReduceLROnPlateau(optimizer, patience=3)
x, y = torch.randn(64, 2), torch.randint(0, 2, (64,))
x_test, y_test = torch.randn(64, 2), torch.randint(0, 2, (64,))
for _ in range(50):
    model.train()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        test_loss = nn.functional.cross_entropy(model(x_test), y_test).item()
    scheduler.step(test_loss)  # TDX405
