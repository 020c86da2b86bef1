from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import records_by_hand as by_hand

from traindx import report
from traindx.records import Branch, Diagnosis, Evidence, Finding, Run, Standing, Step, Treatment
from traindx.report import page

MEGABYTES = 2
VOID = {"meta", "link", "br", "img", "input", "hr", "col", "wbr"}
LOADING = {"src", "srcset", "data", "poster", "action", "background", "cite"}


class Page(HTMLParser):
    """Checks nesting as it reads, and notes headings, ids and whatever would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.figures: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in LOADING]
        self.loads += [f"{tag} {given['href']}" for _ in [0] if "href" in given and not (given["href"] or "").startswith(("#", "data:,"))]
        self.loads += [tag] if tag in {"script", "iframe", "object", "embed", "base", "img"} else []
        self.ids += [given["id"] or ""] if "id" in given else []
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        if given.get("role") == "img":
            self.figures.append(given.get("aria-label") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_page_stands_alone(record: Run | Diagnosis | Treatment) -> None:
    html = report.to_html(record)
    read = Page(html)
    assert html.startswith("<!doctype html>")
    assert len(html.encode()) < MEGABYTES * 2**20
    assert read.loads == []
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert report.sentence(record) in read.text


def test_headings_descend_in_steps_and_every_figure_is_described(record: Run | Diagnosis | Treatment) -> None:
    read = Page(report.to_html(record))
    assert read.headings[0] == 1
    assert read.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(read.headings, read.headings[1:], strict=False))
    assert read.figures
    assert all(len(label) > 20 for label in read.figures)
    drawn = [i for i in read.ids if i.startswith("f") and "clip" not in i]
    assert len(drawn) == len(set(drawn))


def test_a_fragment_brings_no_page(record: Run | Diagnosis | Treatment) -> None:
    html = report.to_html(record, fragment=True)
    read = Page(html)
    assert "<html" not in html
    assert "<body" not in html
    assert min(read.headings) == 2
    assert re.findall(r"^([^@{}/ ][^{]*)\{", page._style(), flags=re.MULTILINE)
    assert all(
        s.strip().startswith((".traindx", "div.traindx")) for s in re.findall(r"^\s*([a-z.#][^{}@;]*)\{", page._style(), flags=re.MULTILINE)
    )


def test_names_are_escaped() -> None:
    html = report.to_html(by_hand.not_a_number())
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#39;task&#39;)&lt;/script&gt;" in html
    assert "<img" not in html
    assert html.count("</style>") == 1
    assert "\x1b" not in html


def test_names_in_figures_are_escaped() -> None:
    diagnosis = by_hand.optimization()
    evil = '</text></svg><script>alert(1)</script>"\\1 $x^2$ 図'
    references = (Evidence(experiment="references", measure="out_of_fold_loss", subject=evil, value=0.3), *diagnosis.evidence)
    read = Page(report.to_html(diagnosis.replace(evidence=references, task_summary={"metric": evil})))
    assert read.loads == []
    assert "$x^2$" in read.text


def test_numbers_in_figures_are_not_shortened() -> None:
    read = Page(report.to_html(by_hand.mismatch()))
    assert "0.918" in read.text


def test_a_diagnosis_says_everything() -> None:
    text = Page(report.to_html(by_hand.optimization())).text
    for part in (
        "learning-rate-too-high",
        "confirmed",
        "confidence 97%",
        "recovers 98% (95% interval 92% to 103%)",
        "optimizer-unsuited",
        "The budget ended before restarts were tried.",
        "Is the training loss large? Yes: 2.31 against 0.21 reachable.",
        "gradient boosting",
        "reachable: 0.21",
        "gradient norm",
        "step (optimizer updates)",
        "baseline (3 seeds, 1 diverged)",
        "diverged at step 260 (loss is not finite) (marked with a cross)",
        "Ruled out",
        "Every input and target is finite.",
        "Not applicable",
        "No test set was given.",
        "Keep the cosine schedule.",
        "batch size 64",
        "6.3 baseline runs",
        "The test set was never opened.",
    ):
        assert part in text, part


def test_a_treatment_says_everything() -> None:
    text = Page(report.to_html(by_hand.treatment())).text
    for part in (
        "verified",
        "learning-rate(factor=0.1)",
        "schedule constant cosine",
        "in your optimizer: lr 2 -> 0.2",
        "over 99.9% 100% 0.0625",
        "Measure Mean before Mean after Gain 95% interval",
        "validation loss 2.3 (4 of 5 finite) 0.29 2.01 1.97 to 2.05",
        "2.31, 2.28, not a number, 2.33, 2.3",
        "1.97 to 2.05",
        "over 99.9%",
        "1 seed without a finite value not drawn",
        "before (5 seeds, 1 diverged)",
        "after (5 seeds)",
        "seed 12 diverged",
        "The test set was opened once.",
        "The diagnosis behind it",
    ):
        assert part in text, part


def test_the_effect_of_each_remedy_stands_beside_what_it_was_added_to() -> None:
    text = Page(report.to_html(by_hand.treatment_of_two())).text
    assert "dropout(p=0.5) learning-rate(factor=0.1) 21, 22 0.5, 0.5 0.3, 0.3 0.2" in text
    assert "Each remedy by itself" not in Page(report.to_html(by_hand.treatment())).text


@pytest.mark.parametrize("branch", list(Branch))
def test_every_branch_is_a_leaf_of_the_flowchart(branch: Branch) -> None:
    html = report.to_html(by_hand.healthy().replace(branch=branch))
    assert html.count(f'class="leaf branch-{branch.value} on"') == 1
    assert len(re.findall(r'class="leaf [^"]* on"', html)) == 1


def test_an_undecided_path_ends_where_it_was_asked() -> None:
    html = report.to_html(by_hand.not_a_number())
    assert html.count('class="question on"') == 2


def test_a_question_without_a_test_set_is_passed_by_on_a_dashed_arrow() -> None:
    unasked = by_hand.healthy().replace(path=(Step(question="Is the validation loss worse?", answer="No."),))
    html = report.to_html(unasked)
    assert html.count('class="arrow on dashed"') == 1 and ">no test set</text>" in html
    asked = unasked.replace(path=(Step(question="Is the test loss worse?", answer="No."),))
    assert 'class="arrow on dashed"' not in report.to_html(asked) and ">no test set</text>" not in report.to_html(asked)


def test_a_column_without_any_value_is_left_out() -> None:
    bare = Evidence(experiment="audit", measure="momentum", value=0.9)
    finding = Finding(
        cause="momentum-too-high", branch=Branch.OPTIMIZATION, standing=Standing.UNDECIDED, confidence=0.5, summary="", evidence=(bare,)
    )

    def told(evidence: Evidence) -> str:
        return Page(report.to_html(by_hand.healthy().replace(findings=(finding.replace(evidence=(evidence,)),)))).text

    assert "Of Value Behind it" in told(bare)
    assert "Of Value Threshold Behind it" in told(bare.replace(threshold=0.0))
    assert "Of Value Interval Behind it" in told(bare.replace(high=1.0))


def test_equal_records_give_equal_pages() -> None:
    assert report.to_html(by_hand.optimization()) == report.to_html(by_hand.optimization())


def test_a_hundred_findings_stay_small() -> None:
    diagnosis = by_hand.optimization()
    many = tuple(f.replace(cause=f"{f.cause}-{i}") for i in range(30) for f in diagnosis.findings[:3])
    html = report.to_html(diagnosis.replace(findings=many))
    assert len(html.encode()) < MEGABYTES * 2**20
    assert html.count("<article") == 90


def test_long_runs_stay_small() -> None:
    diagnosis = by_hand.healthy().replace(runs=(by_hand.run(0, steps=100_000, observations=20_000),))
    html = report.to_html(diagnosis)
    assert len(html.encode()) < MEGABYTES * 2**20
    assert "keep every low and high" in html
