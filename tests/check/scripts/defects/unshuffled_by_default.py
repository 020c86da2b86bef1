import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


def fit(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        for i, (x, y) in enumerate(loader):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if i % 50 == 0:
                print(loss.item())


torch.manual_seed(0)
train_data = Rows(torch.randn(100, 4), torch.randint(0, 2, (100,)))
fit(nn.Linear(4, 2), DataLoader(train_data, batch_size=10), 3)  # TDX501
