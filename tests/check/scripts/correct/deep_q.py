import copy
import random

import torch
from torch import nn

random.seed(0)
torch.manual_seed(0)
q_net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
target_net = copy.deepcopy(q_net)
target_net.eval()
optimizer = torch.optim.Adam(q_net.parameters())
memory = [(torch.randn(4), random.randrange(2), random.random(), torch.randn(4)) for _ in range(500)]
for step in range(200):
    states, actions, rewards, following = zip(*random.sample(memory, 32), strict=True)
    q = q_net(torch.stack(states)).gather(1, torch.tensor(actions).unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        wanted = torch.tensor(rewards) + 0.99 * target_net(torch.stack(following)).max(1)[0]
    loss = nn.functional.smooth_l1_loss(q, wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        target_net.load_state_dict(q_net.state_dict())
