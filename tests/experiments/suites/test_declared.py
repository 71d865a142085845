"""Classes read from their sources. Oracle: the classes themselves, as Python's ``inspect`` sees them."""

from __future__ import annotations

import inspect

import pytest
from torch import nn

from converse.experiments.suites import vocabulary
from converse.experiments.suites.declared import declared
from converse.experiments.suites.vocabulary import Signature
from converse.nn.models import MODELS
from converse.nn.operators import OPERATORS

REGISTRIES = [
    pytest.param("converse.nn.models", "MODELS", MODELS, vocabulary.models(), id="models"),
    pytest.param("converse.nn.operators", "OPERATORS", OPERATORS, vocabulary.operators(), id="operators"),
]


@pytest.mark.parametrize(("module", "registry", "classes", "signatures"), REGISTRIES)
def test_sources_say_what_the_classes_are(
    module: str, registry: str, classes: dict[str, type[nn.Module]], signatures: dict[str, Signature]
) -> None:
    found = declared(module, registry)
    assert list(found) == list(classes)
    for name, made in found.items():
        cls, signature = classes[name], signatures[name]
        assert made.address == f"{cls.__module__}:{cls.__qualname__}"
        assert made.what == (inspect.getdoc(cls) or "").partition("\n")[0] != ""
        assert made.operator == signature.operator
        assert made.inputs == signature.inputs
        own = {key: value for key, value in made.defaults.items() if key in signature.defaults}
        assert own == signature.defaults
        assert made.defaults.keys() - own.keys() <= vocabulary.SET_BY_MODEL


def test_a_registry_that_is_not_written_out_is_refused() -> None:
    with pytest.raises(ValueError, match=r"converse\.nn\.models has no dictionary NETWORKS"):
        declared("converse.nn.models", "NETWORKS")
