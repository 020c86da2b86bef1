"""Labels transformed wrongly: out of range, shifted, another coding or unit on one side (CAUSES: repair)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule, present
from traindx.diagnosis.rules.preprocessing_mismatch import mended, pipeline_explains, validation_pipeline
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# Labels that only one side has count from this share of its rows, and where chance would hide them from the other side this rarely.
UNSEEN_SHARE, UNSEEN_CHANCE = 0.01, 1e-3
# A recoding of the validation labels must raise the share of rows that agree with reference models by this much, the lower end of its
# interval; untouched validation sets gain at most 0.00, and two classes of ten that were swapped gain 0.15.
AGREEMENT_GAIN = 0.05


class WrongLabels(InspectedRule):
    """Seen in the label sets; or shown by a recoding under which reference models fit validation or test labels far better."""

    cause = "wrong-labels"
    branch = Branch.DATA

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The map that mends them."""
        refused, unseen = _refused(reading), reading.find("audit", "unseen_labels")
        if unseen is not None and unseen.details["shift"]:
            return (_repaired(offset=float(unseen.details["shift"])),)
        if refused is not None:
            return (RemedyRef(id="repair-labels", params={"split": "all"}),)
        found = read_otherwise(reading, "label_map")
        if found is None:
            return ()
        ways = ("scale", "offset") if found.measure == "affine_map" else ("order", "columns")
        return (_repaired(**{way: found.details[way] for way in ways if way in found.details}),)

    def seen(self, reading: Reading) -> Evidence | None:
        """Labels that the loss refuses, or a label set that is not the training rows'."""
        unseen = reading.find("audit", "unseen_labels")
        if unseen is not None and unseen.value >= UNSEEN_SHARE and float(unseen.details["chance"]) < UNSEEN_CHANCE:
            return unseen.replace(threshold=UNSEEN_SHARE)
        return _refused(reading)

    def judge(self, reading: Reading) -> Finding:
        """Confirmed by the label sets, by a recoding of validation or test labels, or by test labels that training does not have."""
        if (found := self.seen(reading)) is not None:
            return self.shown(reading, found)
        if (otherwise := read_otherwise(reading, "label_map")) is not None:
            evidence = present(otherwise, reading.find("label_map", "agreement"))
            return self.finding(Standing.CONFIRMED, 0.9, otherwise.text, evidence, self.remedies(reading))
        if test_labels_explain(reading):
            return self._of_the_test(reading)
        test = reading.find("two_sample", "label_distance")
        if test is not None and float(test.details["unseen_share"]) >= UNSEEN_SHARE:
            said = f"{float(test.details['unseen_share']):.0%} of the test rows have labels that no training row has"
            return self.finding(Standing.CONFIRMED, 0.9, said, (test,))
        return super().judge(reading)

    def _of_the_test(self, reading: Reading) -> Finding:
        evidence = present(
            reading.find("two_sample", "repaired_test_loss"),
            read_otherwise(reading, "two_sample"),
            *(reading.find("two_sample", m) for m in ("agreement", "test_loss")),
            reading.find("baseline", "validation_loss"),
        )
        said = f"{evidence[1].text}; so read, the network's test loss is {evidence[0].value:.3g}, not {reading.test:.3g}, where validation has {reading.validation:.3g}"
        return self.finding(Standing.CONFIRMED, 0.9, said, evidence)

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "labels fit the outputs, and every split has the same ones"


def test_labels_explain(reading: Reading) -> bool:
    """Whether reference models suggest another coding or other units of the test labels, and this takes the harm away from the network.

    Not where a map of the test inputs does so as well: that was learned without labels, and what reference models expect of inputs from
    another pipeline says nothing about labels.
    """
    if pipeline_explains(reading):
        return False
    return read_otherwise(reading, "two_sample") is not None and reading.test_harm_is_real and mended(reading, "repaired_test_loss")


def read_otherwise(reading: Reading, experiment: str) -> Evidence | None:
    """Another coding, or other units, under which labels fit reference models far better: of validation (label_map) or test (two_sample)."""
    if validation_pipeline(reading) is not None and experiment == "label_map":
        return None
    recoded, mapped = reading.find(experiment, "agreement_gain"), reading.find(experiment, "affine_map")
    if recoded is not None and (recoded.low or 0.0) >= AGREEMENT_GAIN:
        return recoded.replace(threshold=AGREEMENT_GAIN)
    return mapped if mapped is not None and mapped.details["wrong"] else None


def _refused(reading: Reading) -> Evidence | None:
    """Labels that the loss refuses although there are no more of them than outputs."""
    found = reading.find("audit", "refused_labels")
    return found if found is not None and float(found.details["distinct"]) <= float(found.details["width"]) else None


def _repaired(**how: str | float | bool) -> RemedyRef:
    return RemedyRef(id="repair-labels", params={"split": "validation", **how})
