import torch
from torch import nn, optim
from tqdm import tqdm


def train(net, loader, optimizer, criterion, device):
    net.train()
    total = 0.0
    for images, labels in tqdm(loader):
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        optimizer.step()  # TDX102
        total += loss.item()
    return total / len(loader)


torch.manual_seed(3)
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
optimizer = optim.SGD(net.parameters(), lr=0.1)
loader = [(torch.randn(4, 1, 28, 28), torch.randint(0, 10, (4,)))]
for _ in range(3):
    train(net, loader, optimizer, nn.CrossEntropyLoss(), "cpu")
