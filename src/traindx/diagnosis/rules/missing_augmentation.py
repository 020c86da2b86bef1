"""Label-preserving changes of images are not covered by the training rows (CAUSES: augmentation)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import GeneralizationRule, present, ramp
from traindx.records import Evidence, RemedyRef

# What small shifts add to the validation loss, in shares of the distance.
HARM_NONE, HARM_FULL = 0.1, 0.5
# Training images are moved by up to this share of their side.
REACH = 0.15
# Mirror images count as images of the same class where they cost no more than this share beyond what shifts cost.
MIRROR = 1.0


class MissingAugmentation(GeneralizationRule):
    """Settled by training on images that are moved at random."""

    cause = "missing-augmentation"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Random shifts, and mirror images where the network takes them as well as it takes shifts."""
        shifted, mirrored = (reading.find("consistency", name) for name in ("shifted_loss", "mirrored_loss"))
        if shifted is None or mirrored is None or self.sign(reading) == 0:
            return ()
        shift = max(1, round(REACH * float(shifted.details["side"])))
        return (RemedyRef(id="augment", params={"shift": shift, "mirror": mirrored.value <= MIRROR * shifted.value}),)

    def sign(self, reading: Reading) -> float:
        """How much small shifts cost."""
        harm = reading.value("consistency", "shifted_loss") - reading.value("consistency", "loss")
        return ramp(reading.share(harm), HARM_NONE, HARM_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The losses with and without shifts."""
        return present(*(reading.find("consistency", m) for m in ("loss", "shifted_loss", "mirrored_loss")))

    def nothing_to_try(self, reading: Reading) -> str:
        """No images, or steady predictions."""
        refused = reading.find("consistency", "not-applicable")
        if refused is not None:
            return refused.text
        return "small shifts change little" if reading.asked("consistency") else "inputs are no images, or shifts were not asked about"
