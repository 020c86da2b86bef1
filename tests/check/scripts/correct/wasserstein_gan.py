import torch
from torch import autograd, nn, optim

torch.manual_seed(0)
G, D = nn.Linear(8, 2), nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
opt_g, opt_d = optim.RMSprop(G.parameters(), lr=5e-5), optim.RMSprop(D.parameters(), lr=5e-5)


def gradient_penalty(real, fake):
    mixed = (torch.rand(len(real), 1) * (real - fake) + fake).requires_grad_(True)
    (gradient,) = autograd.grad(D(mixed).sum(), mixed, create_graph=True)
    return ((gradient.norm(dim=1) - 1) ** 2).mean()


for step in range(100):
    for p in D.parameters():
        p.requires_grad = True
    for _ in range(5):
        real, fake = torch.randn(64, 2), G(torch.randn(64, 8)).detach()
        opt_d.zero_grad()
        loss = -(D(real).mean() - D(fake).mean()) + 10 * gradient_penalty(real, fake)
        loss.backward()
        opt_d.step()
    for p in D.parameters():
        p.requires_grad = False
    opt_g.zero_grad()
    loss = -D(G(torch.randn(64, 8))).mean()
    loss.backward()
    opt_g.step()
