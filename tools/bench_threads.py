"""Tables of `make bench` about faults of several threads or processes at once (user/bench_faults.c, user/bench_locks.c)."""
import re

# What user/bench_crew.h calls the kinds of faults, and who makes them.
KINDS = {
    "anon": "anonymous, first store",
    "cached": "shared file, page in memory",
    "new_page": "shared file, page to be made",
    "file_copy": "private file, copy at the first store",
    "clean_page": "disk file, first store after writeback",
}
CREWS = {
    "one_mapping": "threads, neighbouring pages",
    "own_mappings": "threads, mappings of their own",
    "processes": "unrelated processes",
}


def together(title, values, cell):
    """One line for each kind of fault and who makes it, a column for how many at once; @cell(name) -> text."""
    lines = [f"| {title} | by | 1 | 2 | 4 |", "|---|---|--:|--:|--:|"]
    for kind, what in KINDS.items():
        for crew, who in CREWS.items():
            names = [f"faults.{kind}.{crew}.{n}" for n in (1, 2, 4)]
            if names[0] in values:
                lines.append(f"| {what} | {who} | " + " | ".join(map(cell, names)) + " |")
    return lines


def instructions(values):
    return together("instructions a fault", values, lambda name: f"{values[name][0]:.0f}")


def waits(values):
    """The number, and the rank that has most of it."""
    def cell(name):
        ranks = {k.removeprefix(f"{name}.waits."): v[0] for k, v in values.items() if k.startswith(f"{name}.waits.")}
        worst = max(ranks, key=ranks.get, default=None)
        total = values.get(f"{name}.waits", (0.0,))[0]
        return f"{total:.4f}" + (f" {worst.removeprefix('LOCK_')}" if worst else "")
    return together("lock waits a fault, and where most", values, cell)


def locks(values):
    """What each kind of fault asks for, and what of that is shared by processes that have nothing in common."""
    lines = ["| fault | lock | asked for, a fault | different ones | shared by unrelated processes, a fault |",
             "|---|---|--:|--:|--:|"]
    for name, (value, _) in values.items():
        match = re.match(r"locks\.(\w+)\.(LOCK_\w+)$", name)
        if match:
            kind, rank = match.groups()
            shared = values[f"{name}.shared"][0]
            lines.append(f"| {KINDS[kind]} | {rank.removeprefix('LOCK_')} | {value:.3f} | {values[name + '.different'][0]:.0f} "
                         f"| {f'**{shared:.3f}**' if shared else '0'} |")
    return lines
