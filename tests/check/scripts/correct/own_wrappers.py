import torch
from my_project.engine import NativeScaler, make_optimizer, train_step
from torch import nn


def train_one_epoch(model, loader, optimizer, loss_scaler, criterion):
    model.train()
    for samples, targets in loader:
        loss = criterion(model(samples), targets)
        loss_scaler(loss, optimizer, parameters=model.parameters())
        optimizer.step()


def main(config):
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    other = make_optimizer(model)
    for _ in range(config.epochs):
        train_one_epoch(model, config.loader, optimizer, NativeScaler(), nn.CrossEntropyLoss())
        train_step(model, other)
