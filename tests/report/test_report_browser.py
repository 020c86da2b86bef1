from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from traindx import report
from traindx.records import Diagnosis, Run, Treatment

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytest.importorskip("playwright.sync_api", reason="no playwright")
from playwright.sync_api import Browser, Route, sync_playwright  # noqa: E402


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


CONTRAST = """
() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const c = rgb(getComputedStyle(node).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const node of document.querySelectorAll('.traindx *')) {
    if (![...node.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const drawn = node.namespaceURI.endsWith('svg');
    if (node.tagName.toUpperCase() === 'STYLE' || node.parentElement.matches('.leaf.on')) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(rgb(drawn ? style.fill : style.color)), light(ground(drawn ? node.closest('figure') : node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent.trim().slice(0, 40)}`);
  }
  return weak;
}
"""

OVERLAPS = """
() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg')) {
    const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    const frame = svg.getBoundingClientRect();
    boxes.forEach(([name, a], i) => {
      if (a.width && (a.left < frame.left - 3 || a.right > frame.right + 3)) found.push(`${name} leaves its figure`);
      for (const [other, b] of boxes.slice(i + 1))
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
          found.push(`${name} covers ${other}`);
    });
  }
  return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_reads_well_offline(record: Run | Diagnosis | Treatment, scheme: str, browser: Browser, tmp_path: Path) -> None:
    path = report.save(record, tmp_path / "report.html")
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", offline=True, viewport={"width": 1100, "height": 900}
    )
    asked: list[str] = []
    said: list[str] = []

    def only_the_file(route: Route) -> None:
        if route.request.url == path.as_uri():
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    context.route("**/*", only_the_file)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert page.locator("h1").inner_text() == report.sentence(record)
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(OVERLAPS) == []
    for width in (1100, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert asked == []
    assert said == []
    context.close()


def test_on_a_narrow_screen_text_has_the_whole_width_and_tables_scroll_with_a_shade(browser: Browser, tmp_path: Path) -> None:
    import records_by_hand

    path = report.save(records_by_hand.optimization(), tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(path.as_uri())
    cells = page.locator(".ruled tbody th, .ruled tbody td").evaluate_all("found => found.map(c => c.getBoundingClientRect().width)")
    assert cells and min(cells) > 300
    scrolled = page.locator(".card.top .wide").evaluate("w => [w.scrollWidth > w.clientWidth, getComputedStyle(w).backgroundAttachment]")
    assert scrolled == [True, "local, local, scroll, scroll"]
    page.close()


def test_a_page_prints_with_everything_open(browser: Browser, tmp_path: Path) -> None:
    import records_by_hand

    path = report.save(records_by_hand.optimization(), tmp_path / "report.html")
    page = browser.new_page(color_scheme="dark")
    page.goto(path.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(path=tmp_path / "report.pdf")
    page.close()
