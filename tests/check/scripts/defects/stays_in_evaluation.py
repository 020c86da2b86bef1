import torch
from torch import nn


def validate(model, loader):
    model.eval()  # TDX402
    total = 0.0
    with torch.no_grad():
        for x, y in loader:
            total += nn.functional.cross_entropy(model(x), y).item()
    return total / len(loader)


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters())
    batches = [(torch.randn(8, 20), torch.randint(0, 2, (8,)))]
    model.train()
    for epoch in range(10):
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        print(epoch, validate(model, batches))


if __name__ == "__main__":
    main()
