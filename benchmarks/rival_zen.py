"""The same rules in zen-engine (GoRules), as decision tables or as expression nodes; the faster one is kept.

One decision a concern, compiled once. A table has one column whose cells are the antecedents and collects all hits;
an expression node has one expression a rule. A word that is not sent is null, which a table cell reads as false;
`and` inside an expression node does not take a null, so there each word is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import zen

from benchmarks.firing import Asked, Fire, Fired, Tables
from rules.engine import Antecedent

AT = {"x": 0, "y": 0}


def _graph(kind: str, content: Mapping[str, Any]) -> str:
    common = {"passThrough": False, "executionMode": "single", "inputField": None, "outputPath": None}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": AT},
        {"id": "rules", "type": kind, "name": "rules", "position": AT, "content": {**content, **common}},
        {"id": "out", "type": "outputNode", "name": "out", "position": AT},
    ]
    edges = [{"id": "a", "sourceId": "in", "targetId": "rules"}, {"id": "b", "sourceId": "rules", "targetId": "out"}]
    graph = {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}
    return orjson.dumps(graph).decode()


def _table(conditions: list[list[str]]) -> str:
    rows = [{"_id": str(n), "i": " and ".join(words), "o": str(n)} for n, words in enumerate(conditions)]
    inputs, outputs = [{"id": "i", "name": "when"}], [{"id": "o", "name": "rule", "field": "rule"}]
    content = {"hitPolicy": "collect", "inputs": inputs, "outputs": outputs, "rules": rows}
    return _graph("decisionTableNode", content)


def _expressions(conditions: list[list[str]]) -> str:
    expressions = [
        {"id": str(n), "key": f"r{n}", "value": " and ".join(f"{word} == true" for word in words)}
        for n, words in enumerate(conditions)
    ]
    return _graph("expressionNode", {"expressions": expressions})


def _hits(rules: list[Antecedent], result: Any) -> frozenset[Antecedent]:
    return frozenset([rules[hit["rule"]] for hit in result])


def _true(rules: list[Antecedent], result: Any) -> frozenset[Antecedent]:
    return frozenset([rules[int(name[1:])] for name, held in result.items() if held])


def variants(tables: Tables, spelling: Mapping[str, str]) -> dict[str, Fire]:
    """What a user would try: both kinds of node, and the facts of the words that hold or of all words."""
    return {
        "decision table, words that hold": _variant(tables, spelling, _table, _hits, every=False),
        "decision table, all words": _variant(tables, spelling, _table, _hits, every=True),
        "expression node": _variant(tables, spelling, _expressions, _true, every=False),
    }


def _variant(
    tables: Tables,
    spelling: Mapping[str, str],
    build: Callable[[list[list[str]]], str],
    read: Callable[[list[Antecedent], Any], frozenset[Antecedent]],
    every: bool,
) -> Fire:
    engine, decisions, silent = zen.ZenEngine(), {}, {}
    for concern, rules in tables.items():
        conditions = [sorted(spelling[literal] for literal in rule) for rule in rules]
        decisions[concern] = engine.create_decision(zen.ZenDecisionContent(build(conditions)))
        silent[concern] = {word: False for words in conditions for word in words}

    def run(asked: Asked) -> Fired:
        fired = []
        for concern, held in asked:
            known = silent[concern]
            facts = dict.fromkeys(held & known.keys(), True)
            # JSON text is what it takes fastest: a dict is walked through object by object
            text = orjson.dumps({**known, **facts} if every else facts)
            fired.append(read(tables[concern], decisions[concern].evaluate(text)["result"]))
        return fired

    return run
