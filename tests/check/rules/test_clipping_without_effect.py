SETUP = """
model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
"""

CLIP = "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"


def loop(*lines):
    return "\n".join(["for x in loader:", *(f"    {line}" for line in lines)])


def test_fires_after_the_step_and_before_backward(broken):
    after = loop("optimizer.zero_grad()", "loss.backward()", "optimizer.step()", CLIP)
    before = loop("optimizer.zero_grad()", CLIP, "loss.backward()", "optimizer.step()")
    assert broken("clipping-without-effect", SETUP, after) == [CLIP]
    assert broken("clipping-without-effect", SETUP, before) == [CLIP]


def test_silent_between_backward_and_step(broken):
    usual = loop("optimizer.zero_grad()", "loss.backward()", CLIP, "optimizer.step()")
    late = loop("loss.backward()", CLIP, "optimizer.step()", "optimizer.zero_grad()")
    micro = loop("loss.backward()", CLIP, "if ready: optimizer.step(); optimizer.zero_grad()")
    assert broken("clipping-without-effect", SETUP, usual, "\n", late, "\n", micro) == []


def test_declines_where_a_call_out_of_sight_has_the_optimizer(broken):
    code = loop("optimizer.zero_grad()", "loss.backward()", "engine.run(optimizer)", "optimizer.step()", CLIP)
    assert broken("clipping-without-effect", SETUP, code) == []


def test_silent_where_a_bad_step_is_skipped(broken):
    guard = "if norm.isnan(): optimizer.zero_grad(); continue"
    code = loop("loss.backward()", CLIP, guard, "optimizer.step()", "optimizer.zero_grad()")
    assert broken("clipping-without-effect", SETUP, code) == []
