"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest
from registries import restored

import semantic_hub as sh

SLOW = (
    "semantic_hub.experiment.runner",
    "semantic_hub.experiment.verdict.judging",
    "semantic_hub.interventions.dispatch",
    "semantic_hub.lenses.mass.cache",
    "semantic_hub.lenses.mass.measure",
    "semantic_hub.reporting.comparison",
    "semantic_hub.reporting.defaults",
    "semantic_hub.reporting.document",
    "semantic_hub.reporting.examples",
    "semantic_hub.zoo.world.spokes",
)
"""Modules whose examples measure whole spokes or read whole word lists."""

MODULES = [
    pytest.param(
        importlib.import_module(found.name),
        id=found.name,
        marks=[pytest.mark.slow] if found.name in SLOW else [],
    )
    for found in pkgutil.walk_packages(sh.__path__, "semantic_hub.")
]


@pytest.fixture(scope="module")
def hub_mini():
    return sh.load_model("hub-mini", device="cpu")


def test_the_slow_modules_exist() -> None:
    assert {param.id for param in MODULES if param.marks} == set(SLOW)


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: ModuleType, hub_mini, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {**vars(module), "sh": sh, "model": hub_mini}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags)
    with restored():
        for found in doctest.DocTestFinder().find(module, globs=names):
            runner.run(found)
    assert runner.failures == 0


def test_most_public_names_have_one() -> None:
    documented = [
        name
        for name in sh.__all__
        if callable(value := getattr(sh, name)) and ">>>" in (value.__doc__ or "")
    ]
    assert len(documented) >= len(sh.__all__) - 4
