import torch
from torch import nn


class Experiment:
    def __init__(self):
        self.net = nn.Linear(2, 2)
        self.opt = torch.optim.RMSprop(self.net.parameters())

    def run(self, loader):
        for x, y in loader:
            self.opt.zero_grad()  # TDX103
            nn.functional.cross_entropy(self.net(x), y).backward()


torch.manual_seed(0)
Experiment().run([(torch.randn(8, 2), torch.randint(0, 2, (8,)))])
