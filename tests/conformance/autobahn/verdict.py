"""What an Autobahn report is worth: every case that was asked for ran, and every one is OK."""

import collections
import json

# The suite gives these cases INFORMATIONAL whatever the peer does: RFC 6455 leaves open what follows
# a close frame (7.1.6) and what a status code outside the defined ranges means (7.13.*).
INFORMATIONAL = frozenset({"7.1.6", "7.13.1", "7.13.2"})

# NON-STRICT is a pass for the suite and not for us, UNIMPLEMENTED means that compression was refused.
PASS = "OK"


def order(case):
    return [int(part) for part in case.split(".")]


def select(selection, known):
    """The cases that a comma list names. `12.1` is group 12.1 with all its cases, and not 12.10."""
    chosen = set()
    for name in selection.split(","):
        matching = {case for case in known if case == name or case.startswith(name + ".")}
        if not matching:
            raise ValueError(f"the suite has no case {name!r}")
        chosen |= matching
    return sorted(chosen, key=order)


def merge(paths, agent):
    """The results of several reports of one agent. A missing or unreadable report raises."""
    results = {}
    for path in paths:
        with open(path, encoding="utf-8") as text:
            report = json.load(text)
        if list(report) != [agent]:
            raise ValueError(f"{path} is about {sorted(report)}, not {agent!r}")
        for case, result in report[agent].items():
            if case in results:
                raise ValueError(f"{case} ran twice")
            results[case] = result
    return results


def failures(expected, results):
    """One line for each case that did not run, was not asked for, or is not as it has to be."""
    found = [(case, "did not run") for case in set(expected) - set(results)]
    found += [(case, "was not asked for") for case in set(results) - set(expected)]
    for case in set(expected) & set(results):
        wanted = "INFORMATIONAL" if case in INFORMATIONAL else PASS
        got = [results[case].get("behavior"), results[case].get("behaviorClose")]
        if got != [wanted, wanted]:
            found.append((case, f"behavior {got[0]}, close {got[1]}"))
    return [f"{case}: {what}" for case, what in sorted(found, key=lambda pair: order(pair[0]))]


def summary(results):
    """One line for each group: how many cases, and what became of them."""
    groups = collections.defaultdict(collections.Counter)
    for case, result in results.items():
        groups[order(case)[0]][(result.get("behavior"), result.get("behaviorClose"))] += 1
    for group, counts in sorted(groups.items()):
        parts = []
        for (behavior, close), count in sorted(counts.items(), key=str):
            parts.append(f"{count} {behavior}" + ("" if close == behavior else f" (close {close})"))
        yield f"  group {group:2}: {sum(counts.values()):3} cases, {', '.join(parts)}"
