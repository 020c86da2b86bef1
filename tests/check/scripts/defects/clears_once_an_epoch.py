import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def train_epoch(model, loader, optimizer):
    model.train()
    optimizer.zero_grad()
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()  # TDX101


def main():
    torch.manual_seed(1)
    model = nn.Linear(3, 1)
    optimizer = optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(torch.randn(99, 3), torch.randn(99, 1)), shuffle=True)
    for _ in range(5):
        train_epoch(model, loader, optimizer)


if __name__ == "__main__":
    main()
