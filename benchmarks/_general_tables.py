"""How benchmarks/general.py shows its results: a line a system for people, rows with goals as the other benchmarks."""

from __future__ import annotations

from statistics import fmean, median

from _rows import row, short
from _systems import SYSTEMS, UNSEEN

BAND, WIDER_BAND, MANY = (0.85, 0.95), (0.80, 0.98), 30  # coverage of a tenth with 30 or more test runs, and with fewer
WORST, UNSEEN_MEDIAN, OVER_BUDGET = -0.02, 0.4, 1.1
HEAD = ("system", "best baseline", "its error", "error", "skill (worst seed)", "goal; stretch", "valid", "spectrum")
HEAD += ("histogram", "band", "seconds", "weights over 0.1")


def by_system(results: list[dict]) -> dict[str, list[dict]]:
    """System -> its results with each seed, of those that came to an end."""
    systems: dict[str, list[dict]] = {}
    for result in results:
        if "failed" not in result:
            systems.setdefault(result["system"], []).append(result)
    return systems


def markdown(results: list[dict]) -> str:
    """A table with a line a system, means over the seeds, then what failed."""
    lines = [HEAD, ("---",) * len(HEAD), *(line(each) for each in by_system(results).values())]
    failed = [f"{each['title']}, seed {each['seed']}: {each['failed']}" for each in results if "failed" in each]
    return "\n".join([*("| " + " | ".join(cells) + " |" for cells in lines), *failed])


def line(seeds: list[dict]) -> tuple[str, ...]:
    """One system as cells of the table."""
    skills, goals = [each["skill"] for each in seeds], goals_of(seeds[0]["system"])
    naive = [each["baselines"][each["best"]] for each in seeds]
    lowest, highest = (f(bound for each in seeds for bound in each["band"]) for f in (min, max))
    return (
        seeds[0]["title"],
        ", ".join(dict.fromkeys(each["best"] for each in seeds)),
        short(fmean(naive)),
        short(mean(seeds, "error")),
        f"{fmean(skills):.3f} ({min(skills):.3f})",
        "; ".join(f"{goal:g}" for goal in goals if goal is not None) or "-",
        valid(seeds),
        f"{mean(seeds, 'spectrum'):.2f}",
        f"{mean(seeds, 'histogram'):.2f}",
        f"{lowest:.2f} to {highest:.2f}",
        f"{mean(seeds, 'seconds'):.0f}",
        heaviest(seeds),
    )


def mean(seeds: list[dict], what: str) -> float:
    return fmean(each[what] for each in seeds)


def goals_of(name: str) -> tuple:
    """Goal and stretch of the skill; None for none."""
    return (SYSTEMS[name].goal, SYSTEMS[name].stretch) if name in SYSTEMS else (None, None)


def valid(seeds: list[dict]) -> str:
    """Valid steps, in brackets Lyapunov times."""
    steps, times = mean(seeds, "valid"), lyapunov_times(seeds)
    return f"{steps:.0f}" + ("" if times is None else f" ({times:.1f})")


def lyapunov_times(seeds: list[dict]) -> float | None:
    """The valid prediction time in Lyapunov times, mean of the seeds that show one."""
    known = [each["valid"] / each["lyapunov_time"] for each in seeds if each["lyapunov_time"]]
    return fmean(known) if known else None


def heaviest(seeds: list[dict]) -> str:
    """The candidates that carry more than a tenth, mean over blocks and seeds."""
    names = dict.fromkeys(name for each in seeds for name in each["weights"])
    shares = {name: fmean(fmean(each["weights"].get(name, [0.0])) for each in seeds) for name in names}
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in ordered if share > 0.1) or "-"


def rows_of(results: list[dict], budget: float) -> list[dict]:
    """Rows with goals: of each system, of the worst, of those that were never looked at, of the peers."""
    systems = by_system(results)
    rows = [each for seeds in systems.values() for each in system_rows(seeds, budget)]
    rows.append(row("systems and seeds that failed", sum("failed" in each for each in results), 0, "lower", ""))
    if not systems:
        return rows
    skills = [each["skill"] for seeds in systems.values() for each in seeds]
    rows.append(row("worst skill of all systems and seeds", min(skills), WORST, "higher", ""))
    unseen = [seeds for name, seeds in systems.items() if name in UNSEEN or name not in SYSTEMS]
    if unseen:
        middle = median(mean(seeds, "skill") for seeds in unseen)
        worst = min(each["skill"] for seeds in unseen for each in seeds)
        rows.append(row("drawn systems: median skill", middle, UNSEEN_MEDIAN, "higher", ""))
        rows.append(row("drawn systems: worst skill, any seed", worst, WORST, "higher", ""))
    return rows + peer_rows(systems)


def system_rows(seeds: list[dict], budget: float) -> list[dict]:
    """The rows of one system."""
    first, (goal, stretch) = seeds[0], goals_of(seeds[0]["system"])
    name, system = first["title"], SYSTEMS.get(first["system"])
    low, high = BAND if first["runs"]["test"] >= MANY else WIDER_BAND
    rows = [row(f"{name}: skill, mean of {len(seeds)} seeds", mean(seeds, "skill"), goal, "higher", "")]
    if stretch is not None:
        rows.append(row(f"{name}: skill, stretch", mean(seeds, "skill"), stretch, "higher", ""))
    if system and system.length:
        rows.append(row(f"{name}: error", mean(seeds, "length"), system.length, "lower", "length"))
    if system and system.valid:
        times = lyapunov_times(seeds)
        rows += [
            row(f"{name}: valid prediction time", times, goal, "higher", "Lyapunov times") for goal in system.valid
        ]
    lowest, highest = (f(bound for each in seeds for bound in each["band"]) for f in (min, max))
    rows.append(row(f"{name}: lowest coverage of a tenth, any seed", lowest, low, "higher", ""))
    rows.append(row(f"{name}: highest coverage of a tenth, any seed", highest, high, "lower", ""))
    longest = max(each["seconds"] for each in seeds)
    rows.append(row(f"{name}: training, longest", longest, OVER_BUDGET * budget, "lower", "s"))
    return rows


def peer_rows(systems: dict[str, list[dict]]) -> list[dict]:
    """Of each peer: on how many systems we are ahead, and our share of its error on the median."""
    names = dict.fromkeys(name for seeds in systems.values() for each in seeds for name in each["peers"])
    rows = []
    for name in names:
        shares = [share for seeds in systems.values() if (share := share_of_peer(seeds, name)) is not None]
        if shares:
            ahead = sum(share <= 1 for share in shares)
            rows.append(row(f"{name}: our share of its error, median system", median(shares), 1, "lower", ""))
            rows.append(row(f"{name}: systems where we are ahead", ahead, len(shares), "higher", f"of {len(shares)}"))
    return rows


def share_of_peer(seeds: list[dict], name: str) -> float | None:
    """Our error over that of a peer, means of the seeds; None where the peer has none."""
    pairs = [(each["error"], each["peers"].get(name)) for each in seeds]
    numbers = [(ours, its) for ours, its in pairs if isinstance(its, float)]
    return fmean(ours for ours, _ in numbers) / fmean(its for _, its in numbers) if numbers else None
