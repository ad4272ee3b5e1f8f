"""The engine alone: the firing of one assessment, against other engines with the same rules and words.

Every engine must give the same fired set for every case and concern; one that does not has no row, and is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import rules
from benchmarks import firing
from benchmarks.firing import Asked, Fire, Fired
from benchmarks.rival_node import Absent, Node
from benchmarks.rounds import Row, Side, clocked, fault, missing, paired, ratio_row
from rules.engine import Engine
from rules.knowledge import Knowledge
from tests.oracle import CONCERNS

PART = "engine"


class Disagreement(RuntimeError):
    """Another engine reads the rules otherwise; there is nothing to compare."""


class Bench:
    """The rules, the recorded work, and our side."""

    def __init__(self, knowledge: Knowledge | None = None, engine: Engine | None = None, cases: int | None = None):
        self.knowledge = knowledge or rules.load()
        self.engine = engine or Engine(self.knowledge.rules)
        self.work = firing.record(self.knowledge, self.engine)[:cases]
        self.tables = firing.ordered(self.knowledge)
        self.spelling = firing.names(self.tables, self.work)
        self.spelled = [firing.spelled(asked, self.spelling) for asked in self.work]
        fire = firing.ours(self.engine)
        self.ours = each(fire, self.work)
        self.expected = [fire(asked) for asked in self.work]
        self._stack = ExitStack()

    def agree(self, name: str, found: Sequence[Fired]) -> None:
        """Compare what another engine fired with what ours did.

        Raises:
            Disagreement: with the first case and concern that differ.
        """
        for number, (asked, mine, theirs) in enumerate(zip(self.work, self.expected, found, strict=True)):
            for (concern, _), one, other in zip(asked, mine, theirs, strict=True):
                if one != other:
                    raise Disagreement(f"{name}: case {number}, {concern}: {len(one ^ other)} rules differ")

    def in_python(self, name: str, fire: Fire, work: Sequence[Asked]) -> Side:
        """An engine in this process, once it has been found to agree."""
        self.agree(name, [fire(asked) for asked in work])
        return each(fire, work)

    def zen(self) -> tuple[str, Side, Side]:
        """zen-engine with the node that turns out fastest here, and the name of that."""
        from benchmarks import rival_zen  # noqa: PLC0415

        built = rival_zen.variants(self.tables, self.spelling)
        sides = {name: self.in_python(f"zen-engine, {name}", fire, self.spelled) for name, fire in built.items()}
        best = min(sides, key=lambda name: min(sides[name]() for _ in range(3)))
        return f"kept: {best}", self.ours, sides[best]

    def clips(self) -> tuple[str, Side, Side]:
        """CLIPS, with the leak of its Python package mended."""
        from benchmarks import rival_clips  # noqa: PLC0415

        rival_clips.mend()
        fire = rival_clips.fire(self.tables, self.spelling, rival_clips.through_templates)
        return "leak of clipspy mended", self.ours, self.in_python("CLIPS", fire, self.spelled)

    def clips_as_released(self) -> tuple[str, Side, Side]:
        """CLIPS in the way of clipspy that lasts."""
        from benchmarks import rival_clips  # noqa: PLC0415

        fire = rival_clips.fire(self.tables, self.spelling, rival_clips.as_text)
        return "facts as text", self.ours, self.in_python("CLIPS as released", fire, self.spelled)

    def node(self) -> tuple[str, Side, Side]:
        """json-rules-engine.

        Raises:
            Absent: there is no Node, or no package.
        """
        node = self._stack.enter_context(Node(self.tables, self.spelling, self.spelled))
        self.agree("json-rules-engine", node.fired())
        return "", self.ours, node.microseconds

    def plain(self) -> tuple[str, Side, Side]:
        """Sets in plain Python."""
        return "the floor", self.ours, self.in_python("plain Python", firing.plain(self.tables), self.work)

    def oracle(self) -> tuple[str, Side, Side]:
        """The oracle, and ours for the concerns that it knows.

        Raises:
            Disagreement: it concludes something else.
        """
        fire, people = firing.oracle(firing.the_oracle()), [firing.persons(asked) for asked in self.work]
        known = [tuple(pair for pair in asked if pair[0] in CONCERNS) for asked in self.work]
        for number, (asked, mine, person) in enumerate(zip(self.work, self.expected, people, strict=True)):
            said = iter(fire(person))
            for (concern, _), fired in zip(asked, mine, strict=True):
                if concern in CONCERNS:
                    odd = set(self.knowledge.conclude(concern, fired)) ^ next(said)
                    if odd:
                        raise Disagreement(f"case {number}, {concern}: differs on {sorted(map(tuple, odd))}")
        theirs = clocked(lambda: [fire(person) for person in people], len(people))
        return "indexed by word", each(firing.ours(self.engine), known), theirs

    def close(self) -> None:
        """End what was started."""
        self._stack.close()


def each(fire: Fire, work: Sequence[Asked]) -> Side:
    """All assessments one after the other; microseconds of one."""

    def run() -> None:
        for asked in work:
            fire(asked)

    return clocked(run, len(work))


def facts(bench: Bench) -> dict[str, object]:
    """How large the rules are."""
    sizes = bench.engine.describe()
    literals = {literal for table in bench.tables.values() for rule in table for literal in rule}
    return {
        "rules": len({each for table in bench.knowledge.rules.values() for found in table.values() for each in found}),
        "antecedents": sum(len(table) for table in bench.tables.values()),
        "literals": len(literals),
        "words": len({literal.removeprefix("absent:").removeprefix("free:") for literal in literals}),
        "concerns": {name: dict(size) for name, size in sizes.items()},
        "cases": len(bench.work),
    }


def rows(bench: Bench) -> Iterator[Row]:
    """One row for each other engine."""
    for name, measure in RIVALS.items():
        try:
            kept, ours, theirs = measure(bench)
            yield ratio_row(PART, name, paired(ours, theirs), note=kept)
        except ImportError as error:
            yield missing(PART, name, f"{error.name} is not installed (requirements/bench.txt)")
        except Absent as error:
            yield missing(PART, name, str(error))
        except Disagreement as error:
            yield fault(PART, name, str(error))
    bench.close()


RIVALS: Mapping[str, Callable[[Bench], tuple[str, Side, Side]]] = {
    "engine / zen-engine": Bench.zen,
    "engine / CLIPS": Bench.clips,
    "engine / CLIPS, clipspy as released": Bench.clips_as_released,
    "engine / json-rules-engine": Bench.node,
    "engine / oracle of the tests (without together)": Bench.oracle,
    "engine / plain Python sets": Bench.plain,
}
