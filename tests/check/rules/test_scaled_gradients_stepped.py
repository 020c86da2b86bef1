SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler()
"""


def loop(*lines):
    return "\n".join(["for x in loader:", *(f"    {line}" for line in lines)])


def test_fires(broken):
    code = loop("scaler.scale(loss).backward()", "optimizer.step()", "scaler.update()")
    assert broken("scaled-gradients-stepped", SETUP, code) == ["optimizer.step()"]


def test_silent_with_the_scalers_step(broken):
    code = loop("scaler.scale(loss).backward()", "scaler.step(optimizer)", "scaler.update()")
    assert broken("scaled-gradients-stepped", SETUP, code) == []


def test_declines_where_the_scaler_is_out_of_sight_or_not_the_only_way(broken):
    foreign = loop("mine.scale(loss).backward()", "optimizer.step()")
    either = loop("if amp: scaler.scale(loss).backward()", "else: loss.backward()", "optimizer.step()")
    assert broken("scaled-gradients-stepped", SETUP, foreign, "\n", either) == []
