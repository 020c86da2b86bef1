SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler()
"""
CLIP = "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"


def loop(*lines):
    return "\n".join(["for x in loader:", *(f"    {line}" for line in lines)])


def test_fires(broken):
    code = loop("scaler.scale(loss).backward()", CLIP, "scaler.step(optimizer)", "scaler.update()")
    assert broken("clipping-scaled-gradients", SETUP, code) == [CLIP]


def test_silent_after_unscaling_and_without_a_scaler(broken):
    unscaled = loop("scaler.scale(loss).backward()", "scaler.unscale_(optimizer)", CLIP, "scaler.step(optimizer)")
    plain = loop("loss.backward()", CLIP, "optimizer.step()")
    assert broken("clipping-scaled-gradients", SETUP, unscaled, "\n", plain) == []


def test_declines_where_the_scaler_is_out_of_sight_or_not_the_only_way(broken):
    foreign = loop("mine.scale(loss).backward()", CLIP, "mine.step(optimizer)")
    either = loop("if amp: scaler.scale(loss).backward()", "else: loss.backward()", CLIP, "optimizer.step()")
    assert broken("clipping-scaled-gradients", SETUP, foreign, "\n", either) == []
