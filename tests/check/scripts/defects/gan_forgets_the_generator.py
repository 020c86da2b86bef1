import torch
from torch import nn, optim

torch.manual_seed(0)
netG = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
netD = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid())
optimizerG = optim.Adam(netG.parameters(), lr=2e-4)
optimizerD = optim.Adam(netD.parameters(), lr=2e-4)
criterion = nn.BCELoss()

for step in range(1000):
    real = torch.randn(64, 2)
    fake = netG(torch.randn(64, 16))
    optimizerD.zero_grad()
    loss_d = criterion(netD(real), torch.ones(64, 1)) + criterion(netD(fake.detach()), torch.zeros(64, 1))
    loss_d.backward()
    optimizerD.step()

    loss_g = criterion(netD(fake), torch.ones(64, 1))
    loss_g.backward()
    optimizerG.step()  # TDX101
