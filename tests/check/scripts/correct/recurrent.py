import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        hidden, _ = self.lstm(x)
        return self.head(hidden[:, -1])


torch.manual_seed(0)
series = torch.sin(torch.arange(500) / 10)
windows = series.unfold(0, 21, 1).unsqueeze(-1)
train_loader = DataLoader(TensorDataset(windows[:400, :-1], windows[:400, -1]), batch_size=32, shuffle=False)
model = Forecaster()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(5):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
