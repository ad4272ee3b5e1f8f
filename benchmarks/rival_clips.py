"""The same rules in CLIPS (clipspy): a template a word, a defrule a rule, an environment a concern.

Chosen as the fastest of what was tried: a fact a word of its own template beats `(held word)`; collecting places in a
global beats calling Python from each rule; an environment a concern beats one with modules, whose joins are all worked
out for every fact. Facts go in in two ways:

- through their templates, the fastest; but clipspy 1.0.6 never releases a fact of which Python held a handle (its
  `Fact.__del__` calls ReleaseFact with one argument too many and swallows the TypeError), so every `reset` is slower
  than the last, without end. Here the call is mended, which is more than a user of the release has.
- as text, in one `load_facts`, which makes no handles: the fastest lasting way in the release as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import clips

from benchmarks.firing import Asked, Fire, Fired, Tables

Assert = Callable[[Any, dict[str, Any], frozenset[str]], None]
"""Puts words into an environment, given its templates by word."""


def mend() -> None:
    """Release facts as CLIPS 6.4 wants it, with one argument."""
    from clips._clips import lib  # noqa: PLC0415

    def release(fact: Any) -> None:
        lib.ReleaseFact(fact._fact)

    clips.facts.Fact.__del__ = release


def through_templates(_: Any, templates: dict[str, Any], words: frozenset[str]) -> None:
    """One call a word; lasting only once mended."""
    for word in words:
        templates[word].assert_fact()


def as_text(environment: Any, _: dict[str, Any], words: frozenset[str]) -> None:
    """One call for all words."""
    environment.load_facts(" ".join([f"({word})" for word in words]))


def fire(tables: Tables, spelling: Mapping[str, str], put: Assert) -> Fire:
    """Compile, and return what fires them."""
    environments, templates = {}, {}
    for concern, rules in tables.items():
        environments[concern] = environment = clips.Environment()
        words = sorted({spelling[literal] for rule in rules for literal in rule})
        for word in words:
            environment.build(f"(deftemplate {word})")
        environment.build("(defglobal ?*fired* = (create$))")
        for number, rule in enumerate(rules):
            conditions = " ".join(f"({spelling[literal]})" for literal in sorted(rule))
            environment.build(f"(defrule r{number} {conditions} => (bind ?*fired* (create$ ?*fired* {number})))")
        templates[concern] = {word: environment.find_template(word) for word in words}

    def run(asked: Asked) -> Fired:
        fired = []
        for concern, held in asked:
            environment, known, rules = environments[concern], templates[concern], tables[concern]
            environment.reset()
            put(environment, known, held & known.keys())
            environment.run()
            fired.append(frozenset([rules[number] for number in environment.find_global("fired").value]))
        return fired

    return run
