import torch
from torch import nn


def attack(model, images, labels, epsilon=0.1):
    images = images.clone().detach().requires_grad_(True)
    loss = -nn.functional.cross_entropy(model(images), labels)
    (gradient,) = torch.autograd.grad(loss, images)
    return (images - epsilon * gradient.sign()).clamp(0, 1).detach()


def robust_accuracy(model, loader):
    model.eval()
    correct = 0
    for images, labels in loader:
        adversarial = attack(model, images, labels)
        correct += (model(adversarial).argmax(1) == labels).sum().item()
    return correct


torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = [(torch.rand(16, 8, 8), torch.randint(0, 10, (16,)))]
for _ in range(3):
    model.train()
    for images, labels in loader:
        adversarial = attack(model, images, labels)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(adversarial), labels).backward()
        optimizer.step()
    print(robust_accuracy(model, loader))
