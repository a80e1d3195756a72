"""A plan and what it was made from in, a sentence per decision out, with the figures that led to it."""

from collections.abc import Mapping, Sequence

from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.schema import BusinessCluster, RoundPlan


def baseline_reasons(plan: RoundPlan, sizes: Mapping[str, int]) -> dict[str, str]:
    """Decision → sentence, for round 1. `sizes` maps a domain to its clusters."""
    top = _largest(plan.domain_weights)
    return {
        "domain_weights": (
            f"Domains as the catalog has them, big ones first: {top} gets {plan.domain_weights[top]:.2f} with "
            f"{sizes[top]} of {sum(sizes.values())} clusters."
        ),
        "cluster_weights": "Within a domain the k-th cluster by rank gets 1/k.",
        "mode_weights": "No reasoning mode is preferred.",
        "operator_weights": "All operators alike.",
        "cac_target": f"{plan.cac_target:.1f}, about two calls, so that few operators are needed.",
        "temperature": f"{plan.temperature:.1f}: an operator beyond the target is the exception.",
        "candidates": "Every blueprint drawn is talked about.",
    }


def evolved_reasons(
    plan: RoundPlan, before: RoundPlan | None, history: PlanHistory, clusters: Sequence[BusinessCluster]
) -> dict[str, str]:
    """Decision → sentence, for a later round. `before` is the plan of the round before."""
    reasons = {
        "domain_weights": _domains(plan, before, history),
        "cluster_weights": _clusters(history, clusters),
        "mode_weights": _labels(plan, history),
        "mode_targets": _modes(plan, history),
        "operator_weights": _operators(plan, history),
        "cac_target": _complexity(plan, before, history),
        "temperature": (
            f"{_moved(before.temperature if before else None, plan.temperature)} because the round before stood still: "
            "a blueprint gets so many operators beyond what its target needs, on average."
        ),
        "candidates": (
            f"Draws {plan.candidates:g} blueprints for each that is talked about, and takes those that add most bits."
        ),
    }
    return {name: sentence for name, sentence in reasons.items() if sentence}


def summary(plan: RoundPlan, reasons: Mapping[str, str]) -> str:
    """The round in one sentence."""
    first = reasons["domain_weights"].split(":")[0]
    if not plan.mode_weights:
        return (
            f"Baseline: {first[0].lower()}{first[1:]}, natural modes, and a CAC target of only {plan.cac_target:.1f}."
        )
    return (
        f"{first}, aims first at {_largest(plan.mode_weights)} and at {len(plan.mode_targets)} rare or new modes, "
        f"favours {_largest(plan.operator_weights)} at {plan.operator_weights[_largest(plan.operator_weights)]:.2f}, "
        f"and sets the CAC target to {plan.cac_target:.1f}."
    )


def _domains(plan: RoundPlan, before: RoundPlan | None, history: PlanHistory) -> str:
    old = before.domain_weights if before else {}
    change = {name: weight - old.get(name, 0.0) for name, weight in plan.domain_weights.items()}
    up, down = _largest(change), min(change, key=lambda name: change[name])
    held = f"it holds {history.kept_by_domain.get(up, 0)} of {history.kept} kept trajectories"
    if up not in old:
        return f"Gave {up} {plan.domain_weights[up]:.2f}: {held}."
    text = f"Moved {up} from {old[up]:.3f} to {plan.domain_weights[up]:.3f}: {held}"
    if change[down] < 0:
        text += f", while {down}, down to {plan.domain_weights[down]:.3f}, holds {history.kept_by_domain.get(down, 0)}"
    return f"{text}."


def _clusters(history: PlanHistory, clusters: Sequence[BusinessCluster]) -> str:
    unused = sum(not history.kept_by_cluster.get(cluster.cluster_id) for cluster in clusters)
    return f"Within a domain, clusters used least come first: {unused} of {len(clusters)} have nothing kept yet."


def _labels(plan: RoundPlan, history: PlanHistory) -> str:
    rarest = sorted(plan.mode_weights, key=lambda name: -plan.mode_weights[name])[:3]
    seen = [f"{name} (in {history.kept_by_label.get(name, 0)})" for name in rarest]
    return f"Of {history.kept} kept trajectories the fewest have {', '.join(seen)}: operators that bring these gain."


def _modes(plan: RoundPlan, history: PlanHistory) -> str:
    new = [mode for mode in plan.mode_targets if not history.kept_by_mode.get(mode)]
    if not plan.mode_targets:
        return ""
    example = f", such as {new[0].replace('>', ' > ')}" if new else ""
    return (
        f"Aims at {len(plan.mode_targets)} reasoning modes, {len(new)} of them never kept{example}, because "
        f"{len(history.kept_by_mode)} modes have been kept so far."
    )


def _operators(plan: RoundPlan, history: PlanHistory) -> str:
    name = _largest(plan.operator_weights)
    one = history.operators.get(name)
    share = f"{name} leads with {plan.operator_weights[name]:.2f}"
    if one is None or not one.tried:
        return f"{share}: it has not been tried yet."
    return (
        f"{share}: {one.kept} of its {one.tried} tries were kept, for {one.gain_bits:.1f} bits and {one.calls:.1f} "
        "model calls a try; the draw is random, so that others are tried too."
    )


def _complexity(plan: RoundPlan, before: RoundPlan | None, history: PlanHistory) -> str:
    if before is None or history.share_above is None:
        return f"{plan.cac_target:.1f}: nothing was kept under an earlier target."
    return (
        f"{_moved(before.cac_target, plan.cac_target)} because {history.share_above:.0%} of what the round before made "
        f"was kept and reached {before.cac_target:.1f}."
    )


def _moved(before: float | None, after: float) -> str:
    if before is None:
        return f"{after:.1f}"
    return f"Raised from {before:.1f} to {after:.1f}" if after > before else f"Stays at {after:.1f}"


def _largest(weights: Mapping[str, float]) -> str:
    return max(weights, key=lambda name: weights[name])
