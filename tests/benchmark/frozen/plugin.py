"""The frozen store's attacks and target of its own. Never edit: its content is in the keys of its cells."""

import attacks
import targets
from attacks import Attack, NoAccess
from targets.models import SmallCNN


@attacks.register("frozen-grey")
class Grey(Attack):
    """Walk towards a grey image, as far as epsilon goes."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        delta = 0.5 - images
        norms = delta.flatten(1).norm(dim=1)[:, None, None, None]
        return images + delta * (0.999 * epsilon / norms).clamp(max=1)


@attacks.register("frozen-broken")
class Broken(Attack):
    """Raise."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        raise RuntimeError("frozen as broken")


@targets.register("frozen-untrained", sigma=0.5, data="digits")
def untrained():
    """A network that answers the same to all."""
    module = SmallCNN()
    for parameter in module.parameters():
        parameter.data.zero_()
    return module
