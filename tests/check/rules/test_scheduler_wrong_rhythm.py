SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
num_epochs = 10
def update(x, y):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
PER_EPOCH = """
for epoch in range(num_epochs):
    for x, y in loader:
        update(x, y)
    scheduler.step()
"""
PER_BATCH = """
for epoch in range(num_epochs):
    for x, y in loader:
        update(x, y)
        scheduler.step()
"""
OF_BATCHES = "scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, epochs=num_epochs, steps_per_epoch=len(loader))\n"
OF_EPOCHS = "scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=num_epochs)\n"


def test_fires(broken):
    assert broken("scheduler-wrong-rhythm", SETUP, OF_BATCHES, PER_EPOCH) == ["scheduler.step()"]
    assert broken("scheduler-wrong-rhythm", SETUP, OF_EPOCHS, PER_BATCH) == ["scheduler.step()"]


def test_silent_in_the_right_loop(broken):
    assert broken("scheduler-wrong-rhythm", SETUP, OF_BATCHES, PER_BATCH) == []
    assert broken("scheduler-wrong-rhythm", SETUP, OF_EPOCHS, PER_EPOCH) == []


def test_declines_where_the_unit_is_not_said(broken):
    unsaid = "scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)\n"
    assert broken("scheduler-wrong-rhythm", SETUP, unsaid, PER_BATCH, unsaid, PER_EPOCH) == []
